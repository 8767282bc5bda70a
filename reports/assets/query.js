/* What the filter asks: every token must hold; ! turns one round. */
const NUMERIC = {
  wer: (d, i) => d.words[i] === null ? null : d.words[i] / 1000,
  spk: (d, i) => d.speakers[i] === null ? null : d.speakers[i] / 1000,
  len: (d, i) => d.length[i] === null ? null : d.length[i] / 600,
  tracks: (d, i) => d.tracks[i],
  failing: (d, i) => d.failing[i],
  took: (d, i) => d.candidate[i] === null ? null : d.candidate[i] / 10,
};

const WORDED = {
  s: (d, i, want) => VERDICTS[d.rank[i]].toLowerCase().startsWith(want.replace(/[ -]/g, "_")),
  step: (d, i, want) => d.begins[i].toLowerCase().includes(want),
  o: (d, i, want) => d.finished[i] === want,
  check: (d, i, want) => {
    const letters = d.each[i];
    for (let at = 0; at < letters.length; at++) {
      const isAgainst = letters[at] === "D" || letters[at] === "E";
      if (isAgainst && d.checks[at].replace(/_/g, "-").includes(want.replace(/[_ ]/g, "-"))) return true;
    }
    return false;
  },
};

function compares(sign, value, limit) {
  if (value === null) return false;
  if (sign === ">") return value > limit;
  if (sign === "<") return value < limit;
  if (sign === ">=") return value >= limit;
  if (sign === "<=") return value <= limit;
  return value === limit;
}

const KEYS = [...Object.keys(WORDED), ...Object.keys(NUMERIC)].map((key) => key + ":");

/* Words apart, quoted ones together: a "b c" step:merge */
const tokensOf = (text) => (text.toLowerCase().match(/(?:[^\s"]|"[^"]*"?)+/g) || [])
  .map((token) => token.replace(/"/g, "")).filter(Boolean);

/* What looks like a key and is none, or a number that is none: said, never 0 rows in silence. */
function unknownKeys(text) {
  return tokensOf(text).map((token) => token.replace(/^!/, "")).filter((token) => {
    const found = /^([a-z]+):(>=|<=|>|<|=)?(.*)$/.exec(token);
    if (!found || found[1] in WORDED) return false;
    return !(found[1] in NUMERIC) || found[3] === "" || Number.isNaN(Number(found[3]));
  });
}

function test(token) {
  const found = /^([a-z]+):(>=|<=|>|<|=)?(.*)$/.exec(token);
  if (found && found[1] in NUMERIC && found[3] !== "" && !Number.isNaN(Number(found[3]))) {
    return (d, i) => compares(found[2] || "=", NUMERIC[found[1]](d, i), Number(found[3]));
  }
  if (found && found[1] in WORDED) {
    return (d, i) => WORDED[found[1]](d, i, found[3]);
  }
  return (d, i) => d.tagged[i].includes(token) || d.search[i].includes(token);
}

/* The places of the rows that the whole text lets through. */
function select(d, text) {
  const tokens = tokensOf(text);
  const tests = tokens.map((token) => {
    const isTurned = token.length > 1 && token[0] === "!";
    const ask = test(isTurned ? token.slice(1) : token);
    return isTurned ? (d2, i) => !ask(d2, i) : ask;
  });
  const kept = [];
  for (let i = 0; i < d.recording.length; i++) {
    if (tests.every((ask) => ask(d, i))) kept.push(i);
  }
  return kept;
}
