/* The table: one page of plain rows, sorted by a column, cut from what the filter keeps. */
const PAGE = 50;
const delta = (d, i) => d.primary[i] === null || d.candidate[i] === null || !d.primary[i] ? null
  : Math.round((d.candidate[i] / d.primary[i] - 1) * 100);

const COLUMNS = [
  { id: "run", name: "comparison", look: "nobr", value: (d, i) => d.nth[i], isShown: (d) => d.times.some((n) => n > 1),
    text: (d, i) => d.nth[i] + " of " + d.times[i] },
  { id: "verdict", name: "verdict", value: (d, i) => d.place[i] },
  { id: "recording", name: "recording", value: (d, i) => d.recording[i] },
  { id: "step", name: "first divergent step", look: "step", value: (d, i) => d.begins[i] },
  { id: "words", name: "words", look: "num", value: (d, i) => d.words[i], show: percent },
  { id: "speakers", name: "speakers", look: "num wide", value: (d, i) => d.speakers[i], show: percent },
  { id: "failing", name: "failed checks", look: "num wide", value: (d, i) => d.failing[i], show: (n) => n || "-" },
  { id: "length", name: "length", look: "num wide", value: (d, i) => d.length[i], show: clock },
  { id: "tracks", name: "tracks", look: "num wide", value: (d, i) => d.tracks[i] },
  { id: "outcome", name: "both finished?", look: "wide", value: (d, i) => d.finished[i] },
  { id: "primary", name: "primary", look: "num wide", value: (d, i) => d.primary[i], show: span },
  { id: "candidate", name: "candidate", look: "num wide", value: (d, i) => d.candidate[i], show: span },
  { id: "delta", name: "time", look: "num wide", value: delta,
    show: (n) => n === null ? "-" : (n > 0 ? "+" : "") + n + "%" },
  { id: "cost", name: "cost", look: "num wide", value: (d, i) => d.candidate_cost[i], show: dollars,
    isShown: (d) => d.candidate_cost.some((n) => n !== null) },
];
/* Which comparison of a recording stands after its name; what no row has is left out. */
const shownColumns = (d) => [...COLUMNS.slice(1, 3), COLUMNS[0], ...COLUMNS.slice(3)]
  .filter((column) => !column.isShown || column.isShown(d));

function compare(a, b) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -1 : 1;
}

/* Sorted places; equal ones and those without a value stay worst first. */
function sorted(d, kept, sort) {
  const isDown = sort[0] === "-", column = COLUMNS.find((c) => c.id === sort.replace("-", ""));
  if (!column) return sorted(d, kept, "verdict");
  const values = new Map(kept.map((i) => [i, column.value(d, i)]));
  return kept.slice().sort((a, b) => {
    const one = values.get(a), two = values.get(b);
    const order = isDown && one !== null && two !== null ? compare(two, one) : compare(one, two);
    return order || d.place[a] - d.place[b];
  });
}

function cell(column, d, i) {
  const value = column.value(d, i);
  if (column.id === "verdict") {
    const name = VERDICTS[d.rank[i]];
    return make("td", "", null, make("span", "state s-" + name, GLYPHS[name]));
  }
  if (column.id === "recording") {
    const link = make("a", d.recording[i].length <= 40 ? "nobr" : "", d.recording[i]);
    link.href = "#" + written({ ...asked(), r: d.key[i] });
    const head = make("th", "", null, link);
    head.scope = "row";
    if (d.title.length && d.title[i]) {
      const title = make("bdi", "title", d.title[i]);
      title.title = d.title[i];
      head.append(" ", title);
    }
    return head;
  }
  const shown = column.text ? column.text(d, i) : column.show ? column.show(value) : value === null ? "-" : value;
  return make("td", column.look, shown);
}

function heads(d, sort) {
  return shownColumns(d).map((column) => {
    const head = make("th", column.look), button = make("button", "", column.name);
    head.scope = "col";
    button.type = "button";
    button.dataset.sort = column.id;
    const isBy = sort.replace("-", "") === column.id;
    if (isBy) head.setAttribute("aria-sort", sort[0] === "-" ? "descending" : "ascending");
    head.append(button);
    return head;
  });
}

function drawTable(d, state) {
  const order = sorted(d, select(d, state.q), state.sort);
  const pages = Math.max(1, Math.ceil(order.length / PAGE));
  const page = Math.min(Math.max(1, state.page), pages);
  const shown = order.slice((page - 1) * PAGE, page * PAGE);
  byId("table").tHead.rows[0].replaceChildren(...heads(d, state.sort));
  byId("table").tBodies[0].replaceChildren(...shown.map((i) => {
    const row = make("tr", "", null, ...shownColumns(d).map((column) => cell(column, d, i)));
    row.dataset.place = i;
    return row;
  }));
  const unknown = unknownKeys(state.q);
  byId("found").textContent = unknown.length
    ? "unknown filter " + unknown.join(", ") + "; known: " + KEYS.join(" ")
    : count(order.length) + " of " + count(d.recording.length);
  byId("clear").hidden = !state.q;
  byId("page").textContent = order.length
    ? count((page - 1) * PAGE + 1) + "–" + count((page - 1) * PAGE + shown.length) + " of " + count(order.length)
    : d.recording.length ? "No recording matches this filter." : "No recording was compared.";
  byId("before").disabled = page <= 1;
  byId("after").disabled = page >= pages;
  return order;
}

/* A cell that a spreadsheet would run as a formula is quoted. */
function csv(d, order) {
  const quoted = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return '"' + (/^[=+\-@\t]/.test(text) && typeof value === "string" ? "'" : "") + text.replace(/"/g, '""') + '"';
  };
  const names = ["recording", "run", "title", "verdict", "step", "words_share", "speaker_words_share", "checks_against",
    "duration_s", "tracks", "primary_outcome", "candidate_outcome", "primary_s", "candidate_s",
    "primary_microdollars", "candidate_microdollars", "tags"];
  const lines = order.map((i) => [
    d.recording[i], d.key[i], d.title.length ? d.title[i] : "", VERDICTS[d.rank[i]], d.begins[i],
    d.words[i] === null ? null : d.words[i] / 1e5, d.speakers[i] === null ? null : d.speakers[i] / 1e5,
    d.failing[i], d.length[i] === null ? null : d.length[i] / 10, d.tracks[i],
    ...d.finished[i].split("/"), d.primary[i] === null ? null : d.primary[i] / 10,
    d.candidate[i] === null ? null : d.candidate[i] / 10, d.primary_cost[i], d.candidate_cost[i], d.tagged[i].join(" "),
  ].map(quoted).join(","));
  return [names.join(","), ...lines].join("\r\n") + "\r\n";
}
