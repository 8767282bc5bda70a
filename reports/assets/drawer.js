/* One recording in full, over the page; the browser gives focus back when it closes. */
let drawers = null;
let current = -1;

async function openDrawer(d, i) {
  const dialog = byId("drawer"), body = byId("drawer-body");
  const title = d.title.length ? d.title[i] : "";
  byId("drawer-title").textContent = title;
  byId("drawer-id").textContent = d.recording[i];
  byId("drawer-nth").textContent = d.times[i] > 1 ? "comparison " + d.nth[i] + " of " + d.times[i] : "";
  if (drawers === null) drawers = await unpack("drawers-data");
  if (i in drawers) {
    const frame = document.createElement("template");
    frame.innerHTML = drawers[i];      /* made and escaped by the page's own templates */
    body.replaceChildren(frame.content);
  } else {
    body.replaceChildren(...brief(d, i));
  }
  current = -1;
  byId("drawer-at").textContent = "";
  const many = marks().length;
  for (const id of ["drawer-before", "drawer-after"]) byId(id).hidden = !many;
  if (many) byId("drawer-at").textContent = many + (many === 1 ? " difference" : " differences");
  if (!dialog.open) dialog.showModal();
  body.scrollTop = 0;
}

/* What the row alone knows. */
function brief(d, i) {
  const lead = make("p", "lead", null, make("span", "state s-" + VERDICTS[d.rank[i]], GLYPHS[VERDICTS[d.rank[i]]]));
  if (d.begins[i]) lead.append(" first divergent step: ", make("b", "", d.begins[i]));
  const body = make("tbody");
  for (let at = 0; at < d.checks.length; at++) {
    const name = LETTERS[d.each[i][at]];
    if (name) {
      const head = make("th", "", d.checks[at].replace(/_/g, " "));
      head.scope = "row";
      body.append(make("tr", "", null, head, make("td", "", null, make("span", "state s-" + name, GLYPHS[name]))));
    }
  }
  const apart = [["words", d.words[i]], ["speaker words", d.speakers[i]]].filter(([, share]) => share !== null)
    .map(([name, share]) => name + " " + percent(share));
  const facts = [clock(d.length[i]), (d.tracks[i] === null ? "?" : d.tracks[i]) + " tracks",
    "primary " + span(d.primary[i]), "candidate " + span(d.candidate[i]), ...apart].join(" · ");
  return [
    lead, make("p", "facts", facts), make("h3", "", "Checks"), make("table", "", null, body),
    make("p", "", "This file has the details of the worst recordings only. For this one:"),
    make("p", "next", null, make("code", "", "migrate explain " + d.recording[i])),
  ];
}

/* One mark a difference: words that replace others stand right after them. */
const marks = () => [...byId("drawer-body").querySelectorAll("del, ins")]
  .filter((mark) => !(mark.tagName === "INS" && mark.previousElementSibling?.tagName === "DEL"));

function step(by) {
  const found = marks();
  if (!found.length) return;
  current = (current + by + found.length) % found.length;
  if (current < 0) current = 0;
  found.forEach((mark, at) => mark.classList.toggle("here", at === current));
  found[current].focus();
  found[current].scrollIntoView({ block: "center" });
  byId("drawer-at").textContent = "difference " + (current + 1) + " of " + found.length;
}

function wireDrawer(onClose) {
  const dialog = byId("drawer");
  byId("drawer-before").addEventListener("click", () => step(-1));
  byId("drawer-after").addEventListener("click", () => step(1));
  byId("row-before").addEventListener("click", () => neighbour(-1));
  byId("row-after").addEventListener("click", () => neighbour(1));
  byId("drawer-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", onClose);
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j") neighbour(1);
    if (event.key === "k") neighbour(-1);
    if (event.key === "]") step(1);
    if (event.key === "[") step(current < 0 ? 0 : -1);
  });
}
