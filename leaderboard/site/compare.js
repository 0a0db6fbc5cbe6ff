// Two results of one table, item by item; which two stands behind the # of the address, so that a view can be sent.
const data = JSON.parse(document.getElementById("figures").textContent);
const form = document.getElementById("pair");
const MOST = 10; // gains, and losses
const PLOT = { left: 44, right: 444, top: 10, bottom: 416 };
const main = data.measures.length - 1; // the figure that results are ranked by
const toPercent = 100 / data.scale;

const percent = (value) => (value * toPercent).toFixed(2);
const signed = (value) => `${value < 0 ? "−" : "+"}${percent(Math.abs(value))}`;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const counted = (count, [one, many]) => `${count} ${count === 1 ? one : many}`;
const place = (id) => document.getElementById(id);

function element(name, properties, ...inside) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...inside);
  return made;
}

function drawn(name, attributes, ...inside) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

function number(text, key) {
  const cell = element("td", { className: "number" }, text);
  if (key !== undefined) cell.dataset.sort = key;
  return cell;
}

// The figures of a run by measure; a third measure is the mean of the other two.
function figuresOf(run) {
  const [first, second] = run.figures;
  return second ? [first, second, first.map((value, k) => (value === null ? null : (value + second[k]) / 2))] : [first];
}

// What both have, with their figures, A's largest gain first.
function pairsOf(a, b) {
  const [of_a, of_b] = [figuresOf(a), figuresOf(b)];
  const both = data.items.flatMap(([name, group, unit], k) =>
    of_a[main][k] === null || of_b[main][k] === null
      ? []
      : [{ name, group, unit, a: of_a.map((own) => own[k]), b: of_b.map((own) => own[k]) }],
  );
  for (const item of both) item.difference = item.a[main] - item.b[main];
  return both;
}

function comparedOverall(pairs) {
  const columns = data.measures.map((_, k) => [pairs.map(({ a }) => a[k]), pairs.map(({ b }) => b[k])]);
  const found = columns.map(([a, b]) => ({ a: mean(a), b: mean(b), difference: mean(a) - mean(b) }));
  const units = pairs.map(({ unit }) => unit);
  const sure = data.bootstrap && new Set(units).size >= data.bootstrap.fewest;
  if (!sure) return found;
  const differences = columns.map(([a, b]) => a.map((value, k) => value - b[k]));
  return pairedBootstrap(differences, units, data.bootstrap).map((bounds, k) => ({ ...found[k], ...bounds }));
}

function probability(value) {
  return value > 0.9999 ? ">0.9999" : value < 0.0001 ? "<0.0001" : value.toFixed(4);
}

// The verdict in words, and why.
function verdict(a, b, pairs, { difference, low, high, probability: share }) {
  const name = data.measures[main];
  const behind = data.bootstrap ? difference < 0 : data.runs.indexOf(a) > data.runs.indexOf(b); // a table's order is its measure's
  const [leading, other] = behind ? [`${b.name} (B)`, `${a.name} (A)`] : [`${a.name} (A)`, `${b.name} (B)`];
  const better = `${leading} is better than ${other}`;
  if (a === b) return ["The same result twice", "Choose another one."];
  if (!pairs.length) return [`No ${data.noun[0]} in common`, "Nothing can be compared."];
  if (!data.bootstrap) {
    const ranked = a.ties && b.ties;
    if (!ranked) return ["Unknown which is better", "Only ranked results are told apart on images."];
    const tied = a.ties.includes(data.runs.indexOf(b));
    return [tied ? "Tied" : better, `${tied ? "Nothing separates them" : "They are apart"} in a bootstrap over episodes.`];
  }
  if (low === undefined) return ["Unknown which is better", `Too few videos: ${new Set(pairs.map(({ unit }) => unit)).size}.`];
  const interval = `${name} ${signed(difference)} [${signed(low)}, ${signed(high)}] at ${100 * data.bootstrap.level} %`;
  const text = `${interval}, P(A better) ${probability(share)}`;
  return low <= 0 && high >= 0 ? ["Tied", `${text}; the interval contains 0.`] : [better, `${text}.`];
}

function remarks(a, b, pairs) {
  const found = [];
  for (const [letter, run] of [["A", a], ["B", b]]) found.push(...run.caveats.map((text) => `${letter}: ${text}`));
  for (const [letter, run] of [["A", a], ["B", b]]) {
    const alone = run.figures[0].filter((value) => value !== null).length - pairs.length;
    if (alone) found.push(`${counted(alone, data.noun)} of ${letter} alone left out`);
  }
  if (a.parts.join() !== b.parts.join()) {
    found.push(`Means over different ${data.parts}: ${a.parts.join(", ")} of A, ${b.parts.join(", ")} of B`);
  }
  if (a.shots && b.shots && a.shots !== b.shots) found.push(`Different numbers of supports: ${a.shots} of A, ${b.shots} of B`);
  return found.map((text) => element("li", {}, `${text}.`));
}

function overallRow(name, { a, b, difference, low, high, probability: share }) {
  const row = element("tr", {}, element("th", { scope: "row" }, name));
  row.append(...[percent(a), percent(b), signed(difference)].map((text) => number(text)));
  if (data.bootstrap) {
    row.append(number(low === undefined ? "–" : `${signed(low)} to ${signed(high)}`));
    row.append(number(low === undefined ? "–" : probability(share)));
  }
  return row;
}

const anchorOf = (name) => `clip-${encodeURIComponent(name).replace(/%2F/g, "/").replace(/[!*'()]/g, (one) => `%${one.charCodeAt().toString(16).toUpperCase()}`)}`;
const nameOf = ({ name, group }) => (data.groups.length ? `${name} ${data.groups[group]}` : name);

function itemRow(item) {
  const link = element("a", { href: `#${addressOf(item.name)}` }, element("bdi", {}, nameOf(item)));
  const head = element("th", { scope: "row", className: "name" }, link);
  head.dataset.sort = nameOf(item);
  const values = [item.a[main], item.b[main]].map((value) => number(percent(value), value));
  const row = element("tr", {}, head, ...values, number(signed(item.difference), item.difference));
  row.dataset.item = item.name;
  return row;
}

function groupRow(name, own) {
  const [a, b] = [mean(own.map((item) => item.a[main])), mean(own.map((item) => item.b[main]))];
  const cells = [number(`${own.length}`), number(percent(a), a), number(percent(b), b), number(signed(a - b), a - b)];
  return element("tr", {}, element("th", { scope: "row", className: "name" }, name), ...cells);
}

// Rows in the order that the heading says.
function fill(id, rows) {
  const table = place(id);
  table.tBodies[0].replaceChildren(...rows);
  table.closest(".scroll").hidden = !rows.length;
  const heading = table.querySelector("th[aria-sort]");
  if (heading) sortTable(table, heading, heading.getAttribute("aria-sort"));
}

// The plot: the figure of A from left to right, that of B from bottom to top.
const across = (value) => PLOT.left + (value / data.scale) * (PLOT.right - PLOT.left);
const down = (value) => PLOT.bottom - (value / data.scale) * (PLOT.bottom - PLOT.top);

function plotAxes() {
  const { left, right, top, bottom } = PLOT;
  const ticks = [0, 25, 50, 75, 100].flatMap((tick) => {
    const [x, y] = [across(tick / toPercent), down(tick / toPercent)];
    return [
      drawn("path", { class: "grid", d: `M${x} ${top}V${bottom}M${left} ${y}H${right}` }),
      drawn("text", { x, y: bottom + 17, "text-anchor": "middle" }, `${tick}`),
      drawn("text", { x: left - 7, y: y + 4, "text-anchor": "end" }, `${tick}`),
    ];
  });
  const words = [
    drawn("text", { x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle" }, `${data.measures[main]} of A, per cent`),
    drawn("text", { transform: `translate(12 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, `${data.measures[main]} of B`),
    drawn("text", { class: "name", x: right - 8, y: bottom - 10, "text-anchor": "end" }, "A better"),
    drawn("text", { class: "name", x: left + 8, y: top + 18 }, "B better"),
  ];
  return [...ticks, drawn("path", { class: "diagonal", d: `M${left} ${bottom}L${right} ${top}` }), ...words];
}

let points = [];
let at = 0;
let chosen = null; // the item that the address names

function plot(pairs) {
  points = [...pairs].sort((a, b) => b.difference - a.difference);
  at = Math.max(0, points.findIndex(({ name }) => name === chosen));
  const dots = points.map((item, k) => {
    const kind = item.difference < 0 ? "behind" : "ahead";
    return drawn("circle", { class: kind, cx: across(item.a[main]), cy: down(item.b[main]), r: 4, "data-point": k });
  });
  place("scatter").replaceChildren(...plotAxes(), ...dots, drawn("circle", { class: "chosen", r: 7 }));
  tell();
}

// Names the point that was pointed at, or that arrow keys led to.
function tell() {
  const item = points[at];
  const ring = place("scatter").querySelector(".chosen");
  ring.style.display = item ? "" : "none";
  if (!item) return place("point").replaceChildren();
  ring.setAttribute("cx", across(item.a[main]));
  ring.setAttribute("cy", down(item.b[main]));
  const figures = `A ${percent(item.a[main])}, B ${percent(item.b[main])}, ${signed(item.difference)}`;
  const pages = data.bootstrap ? runsShown().flatMap((run, k) => [k ? ", " : ". Its page of ", pageLink(run, item, "AB"[k])]) : [];
  place("point").replaceChildren(element("b", {}, element("bdi", {}, nameOf(item))), `: ${figures}`, ...pages);
}

const runsShown = () => ["a", "b"].map((side) => data.runs[form.elements[side].value]);

function pageLink(run, item, letter) {
  return element("a", { href: `${run.page}#${anchorOf(item.name)}`, ariaLabel: `${letter}: ${item.name} of ${run.name}` }, letter);
}

// Makes an item the one that the address names, and that is marked wherever it stands.
function choose(name) {
  const found = points.findIndex((item) => item.name === name);
  chosen = found < 0 ? null : name;
  at = Math.max(0, found);
  tell();
  mark();
  showBoth();
}

// What is drawn of a run's clips lies in a file beside its page: a script, which a page that was opened from disk may load.
const drawings = new Map();
globalThis.addClips = (place, clips) => drawings.set(place, clips);

function clipsOf(run) {
  if (!run.clips) return Promise.resolve({});
  run.loading ??= new Promise((done) => {
    const script = element("script", { src: run.clips });
    script.addEventListener("load", () => done(drawings.get(run.clips) ?? {}));
    script.addEventListener("error", () => done({}));
    document.head.append(script);
  });
  return run.loading;
}

// The chosen clip of both, side by side.
async function showBoth() {
  const name = chosen;
  const runs = runsShown();
  const found = name === null ? [] : await Promise.all(runs.map(clipsOf));
  if (name !== chosen || runs.some((run, k) => run !== runsShown()[k])) return; // another was chosen meanwhile
  const figures = found.flatMap((clips, k) => (clips[name] ? [clipFigure(clips[name], name, runs[k], "AB"[k])] : []));
  const curved = found.some((clips) => clips[name]?.size);
  const key = "Solid J, dashed F, from the first frame to the last; strokes mark the worst frames, named with their J&F.";
  place("both-clips")?.replaceChildren(...(curved ? [element("p", { className: "quiet" }, key)] : []), ...figures);
}

function clipFigure(clip, name, run, letter) {
  const caption = element("figcaption", {}, element("b", {}, letter), " ", element("bdi", {}, run.name));
  const figure = element("figure", { className: "curve" }, caption);
  if (clip.size) {
    const about = drawn("title", {}, `J and F of ${name} by frame, ${letter}`);
    const low = clip.worst.map(([, x]) => drawn("path", { class: "low", d: `M${x} 0V${clip.size[1]}` }));
    const lines = [drawn("path", { d: clip.j }), drawn("path", { class: "f", d: clip.f })];
    const box = { viewBox: `0 0 ${clip.size.join(" ")}`, preserveAspectRatio: "none", role: "img" };
    const worst = clip.worst.map(([frame, , jf]) => `${frame}\u00a0(${jf})`).join(", ");
    figure.append(drawn("svg", box, about, ...low, ...lines), element("span", { className: "quiet" }, worst));
  }
  if (clip.still) {
    const [width, height] = clip.shape;
    const still = { src: clip.still, alt: `Frame ${clip.frame} of ${name}, ${letter}: ${clip.shows}`, width, height };
    const movie = { src: clip.movie, alt: `${name}, ${letter}, as an animation: ${clip.shows}`, width, height, loading: "lazy" };
    const play = element("details", {}, element("summary", {}, `Play ${letter}`), element("img", movie));
    figure.append(element("img", still), play);
  }
  return figure;
}

function mark() {
  for (const row of document.querySelectorAll("tr[data-item]")) row.classList.toggle("chosen", row.dataset.item === chosen);
}

function show() {
  const [a, b] = runsShown();
  const pairs = pairsOf(a, b);
  const overall = pairs.length ? comparedOverall(pairs) : [];
  const [heading, why] = verdict(a, b, pairs, overall[main] ?? {});
  place("verdict").textContent = heading;
  place("sure").textContent = why;
  const videos = data.bootstrap ? ` of ${counted(new Set(pairs.map(({ unit }) => unit)).size, data.unit)}` : "";
  const names = [a, b].map((run) => element("a", { href: run.page }, element("bdi", {}, run.name)));
  place("both").replaceChildren("A: ", names[0], "; B: ", names[1], `; over the ${counted(pairs.length, data.noun)}${videos} that both have.`);
  place("overall").tBodies[0].replaceChildren(...overall.map((one, k) => overallRow(data.measures[k], one)));
  place("remarks").replaceChildren(...remarks(a, b, pairs));
  plot(pairs);
  fill("gains", points.filter(({ difference }) => difference > 0).slice(0, MOST).map(itemRow));
  fill("losses", points.filter(({ difference }) => difference < 0).slice(-MOST).map(itemRow));
  fill("items", points.map(itemRow));
  if (data.groups.length) {
    const own = data.groups.map((name, group) => [name, pairs.filter((item) => item.group === group)]);
    fill("groups", own.filter(([, items]) => items.length).map(([name, items]) => groupRow(name, items)));
  }
  mark();
}

function addressOf(item) {
  const [a, b] = runsShown().map(({ name }) => name);
  return new URLSearchParams({ a, b, ...(item === null ? {} : { [data.noun[0]]: item }) });
}

function writeAddress() {
  history.replaceState(null, "", `#${addressOf(chosen)}`);
}

let shown = [];

// Where the address names one result alone, the other is the best of the others.
function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const named = ["a", "b"].map((side) => data.runs.findIndex(({ name }) => name === wanted.get(side)));
  const first = named[0] >= 0 ? named[0] : named[1] === 0 ? 1 : 0;
  const pair = [first, named[1] >= 0 ? named[1] : first === 0 ? 1 : 0];
  if (shown.join() !== pair.join()) {
    [form.elements.a.value, form.elements.b.value] = shown = pair;
    show();
  }
  choose(wanted.get(data.noun[0]));
  if (chosen !== null) place("each").scrollIntoView();
}

function changed() {
  shown = ["a", "b"].map((side) => Number(form.elements[side].value));
  show();
  choose(chosen);
  writeAddress();
}

for (const side of ["a", "b"]) {
  form.elements[side].replaceChildren(...data.runs.map(({ name }, k) => new Option(name, k)));
}
form.hidden = place("comparison").hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", changed);
form.elements.swap.addEventListener("click", () => {
  const { a, b } = form.elements;
  [a.value, b.value] = [b.value, a.value];
  changed();
});
place("scatter").addEventListener("pointerover", ({ target }) => {
  if (target.dataset.point) (at = Number(target.dataset.point)), tell();
});
place("scatter").addEventListener("click", ({ target }) => {
  if (target.dataset.point) choose(points[target.dataset.point].name), writeAddress();
});
place("scatter").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -points.length, End: points.length }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  if (!points.length) return;
  choose(points[Math.max(0, Math.min(points.length - 1, at + step))].name);
  writeAddress();
});
addEventListener("hashchange", readAddress);
readAddress();
