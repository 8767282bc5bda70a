/* The state lives in the address: #q=...&sort=-words&page=2&r=run. A link to a section keeps it. */
let state = "";
function asked() {
  const hash = location.hash.slice(1);
  if (!hash || hash.includes("=")) state = hash;
  const found = new URLSearchParams(state);
  return {
    q: found.get("q") || "", sort: found.get("sort") || "verdict",
    page: Number(found.get("page")) || 1, r: found.get("r") || "",
  };
}

/* Where the row of that run is; a recording's name will do where it was compared once. */
function placeOf(d, r) {
  const at = d.key.indexOf(r);
  if (at >= 0) return at;
  const only = d.recording.indexOf(r);
  return only >= 0 && only === d.recording.lastIndexOf(r) ? only : -1;
}

function written(state) {
  const parts = [];
  if (state.q) parts.push("q=" + encodeURIComponent(state.q).replace(/%3A/g, ":").replace(/%20/g, "+"));
  if (state.sort && state.sort !== "verdict") parts.push("sort=" + encodeURIComponent(state.sort));
  if (state.page > 1) parts.push("page=" + state.page);
  if (state.r) parts.push("r=" + encodeURIComponent(state.r));
  return parts.join("&") || "q=";
}

function go(change) {
  const next = "#" + written({ ...asked(), ...change });
  history.replaceState(null, "", next);
  draw();
}

let data = null, order = [], drawn = "", opener = null;

/* Columns of one character a row, spelled out. */
function spell(d) {
  const outcomes = ["ok", "err", "missing"].flatMap((mine, _, all) => all.map((other) => mine + "/" + other));
  const width = d.checks.length;
  const at = (text, i) => text.charCodeAt(i) - 48;
  d.rank = d.recording.map((_, i) => VERDICTS.indexOf(LETTERS[d.verdict[i]]));
  d.begins = d.recording.map((_, i) => d.steps[at(d.step, i)]);
  d.finished = d.recording.map((_, i) => outcomes[at(d.outcome, i)]);
  d.each = d.recording.map((_, i) => d.letters.slice(i * width, (i + 1) * width));
  d.failing = d.each.map((letters) => letters.split(/[DE]/).length - 1);
}

/* Where each row stands, worst first, and what a bare word finds in it. */
function prepare(d) {
  spell(d);
  const places = d.recording.map((_, i) => i).sort((a, b) =>
    d.rank[a] - d.rank[b] || Number(d.critical[b]) - Number(d.critical[a]) || d.failing[b] - d.failing[a]
    || (d.words[b] || 0) - (d.words[a] || 0) || compare(d.recording[a], d.recording[b]) || a - b);
  d.place = new Array(places.length);
  places.forEach((i, at) => { d.place[i] = at; });
  const full = new Set(d.full), times = new Map();
  d.nth = d.recording.map((name) => { times.set(name, (times.get(name) || 0) + 1); return times.get(name); });
  d.times = d.recording.map((name) => times.get(name));
  const sets = d.tag_sets.map((tags) => tags.toLowerCase().split(" "));
  d.search = d.recording.map((name, i) => (name + " " + d.key[i] + " " + (d.title.length ? d.title[i] : "")).toLowerCase());
  d.tagged = d.tags.map((set, i) => full.has(i) ? [...sets[set], "full"] : sets[set]);
  return d;
}

function draw() {
  const state = asked(), key = state.q + "\n" + state.sort + "\n" + state.page;
  if (key !== drawn) {
    drawn = key;
    order = drawTable(data, state);
    if (document.activeElement !== byId("q")) byId("q").value = state.q;
    for (const tile of document.querySelectorAll(".tile")) {
      if (tile.dataset.q === state.q) tile.setAttribute("aria-current", "true");
      else tile.removeAttribute("aria-current");
    }
  }
  const at = state.r ? placeOf(data, state.r) : -1;
  if (at >= 0) openDrawer(data, at);
  else if (byId("drawer").open) byId("drawer").close();
}

function save() {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([csv(data, order)], { type: "text/csv" }));
  link.download = "recordings.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function wire() {
  let timer = 0;
  byId("q").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => go({ q: byId("q").value.trim(), page: 1 }), 80);
  });
  byId("csv").addEventListener("click", save);
  byId("clear").addEventListener("click", () => { byId("q").value = ""; byId("q").focus(); go({ q: "", page: 1 }); });
  byId("theme").addEventListener("click", () => {
    const root = document.documentElement, isDark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme || (isDark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });
  document.addEventListener("keydown", shortcut);
  byId("before").addEventListener("click", () => go({ page: asked().page - 1 }));
  byId("after").addEventListener("click", () => go({ page: asked().page + 1 }));
  byId("table").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-sort]");
    const row = event.target.closest("tr[data-place]");
    if (button) {
      const by = button.dataset.sort, now = asked().sort;
      go({ sort: now === by ? "-" + by : by, page: 1 });
      document.querySelector('button[data-sort="' + by + '"]').focus();
    } else if (row && !event.target.closest("a") && !String(getSelection())) {
      row.querySelector("a").click();
    }
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href*="r="]');
    if (link) opener = link;
  });
  addEventListener("hashchange", draw);
  wireDrawer(() => {
    if (asked().r) go({ r: "" });
    if (opener && opener.isConnected) opener.focus();
  });
}

/* `/` goes to the filter, `?` explains it. */
function shortcut(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("drawer").open) return;
  if (event.target.matches("input")) return;
  if (event.key === "/") { event.preventDefault(); byId("q").focus(); }
  if (event.key === "?") { byId("help").open = true; byId("help").scrollIntoView({ block: "center" }); }
}

/* The row above or below in the table's order. */
function neighbour(by) {
  const at = order.indexOf(placeOf(data, asked().r)) + by;
  if (at >= 0 && at < order.length) go({ r: data.key[order[at]] });
}

async function start() {
  data = prepare(await unpack("rows-data"));
  document.documentElement.className = "live";
  byId("live").hidden = byId("theme").hidden = false;
  wire();
  draw();
  document.documentElement.dataset.ready = "yes";
}

start();
