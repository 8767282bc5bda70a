"use strict";
const byId = (id) => document.getElementById(id);

/* A packed value: base64 of gzip of JSON and columns of numbers. Nothing is requested. */
async function unpack(id) {
  const letters = atob(byId(id).textContent);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const raw = await new Response(stream).arrayBuffer();
  const decoder = new TextDecoder();
  const end = 8 + Number(decoder.decode(raw.slice(0, 8)));
  return numbered(JSON.parse(decoder.decode(raw.slice(8, end))), raw.slice(end));
}

/* The columns behind the JSON, by the names it gives them; the least integer is no value. */
function numbered(value, raw) {
  const all = new DataView(raw), names = value.numbers || [];
  const rows = names.length ? raw.byteLength / 4 / names.length : 0;
  names.forEach((name, place) => {
    value[name] = Array.from({ length: rows }, (_, row) => {
      const number = all.getInt32((place * rows + row) * 4, true);
      return number === -2147483648 ? null : number;
    });
  });
  return value;
}

/* An element with a class, a text and children; text never becomes markup. */
function make(name, look, text, ...children) {
  const element = document.createElement(name);
  if (look) element.className = look;
  if (text !== undefined && text !== null) element.textContent = text;
  element.append(...children);
  return element;
}

const GLYPHS = {
  DIVERGED: "✗ diverged", ERRORED: "! error", INCONCLUSIVE: "? inconclusive",
  WAIVED: "✓ waived", WITHIN_NOISE: "✓ within noise", MATCHED: "✓ match",
};
const VERDICTS = Object.keys(GLYPHS);
const LETTERS = {
  D: "DIVERGED", E: "ERRORED", I: "INCONCLUSIVE", W: "WAIVED", N: "WITHIN_NOISE", M: "MATCHED",
};

function count(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, "\u00a0");
}

/* hundred-thousandths -> 2.98% */
function percent(share) {
  if (share === null) return "-";
  if (share === 0) return "same";
  if (share > 0 && share < 10) return "<0.01%";
  return (share / 1000).toFixed(2) + "%";
}

/* tenths of a second -> 1:02:03 */
function clock(tenths) {
  if (tenths === null) return "-";
  const whole = Math.floor(tenths / 10), two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? hours + ":" + two(minutes) + ":" + two(whole % 60) : minutes + ":" + two(whole % 60);
}

/* tenths of a second -> 0.4s, 22s, 3m00s */
function span(tenths) {
  if (tenths === null) return "-";
  if (tenths < 100) return (tenths / 10).toFixed(1) + "s";
  const whole = Math.round(tenths / 10);
  return whole < 100 ? whole + "s" : Math.floor(whole / 60) + "m" + String(whole % 60).padStart(2, "0") + "s";
}

function dollars(micro) {
  return micro === null ? "unknown" : "$" + (micro / 1e6).toFixed(micro < 1e6 ? 4 : 2);
}
