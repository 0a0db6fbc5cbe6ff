// One table is shown at a time; which, and how, stands behind the # of the address, so that a view can be sent.
const form = document.getElementById("view");
const sections = [...document.querySelectorAll("section.results")];
const PRESETS = ["task", "benchmark", "protocol", "shots"];
const FILTERS = ["origin", "training", "classes", "text"];
const narrow = matchMedia("(max-width: 46rem)");

const tableOf = (section) => section.querySelector("table.board");
const rowsOf = (table) => [...table.tBodies].flatMap(sortable);
const distinct = (values) => [...new Set(values)].filter((value) => value !== "");
const current = () => sections.find((section) => !section.hidden);

// Columns: those of parts of the benchmark are made when they are first asked for.
function partsOf(section) {
  section.parts ??= JSON.parse(section.querySelector("script.parts")?.textContent ?? "{}");
  return section.parts;
}

const headingOf = (section, key) =>
  [...tableOf(section).tHead.rows[0].cells].find((heading) => heading.dataset.column === key);

function makeColumn(section, key) {
  const found = partsOf(section)[key];
  if (!found) return null;
  const table = tableOf(section);
  const heading = document.createElement("th");
  Object.assign(heading, { scope: "col", className: "number" });
  Object.assign(heading.dataset, { column: key, first: "descending" });
  const button = document.createElement("button");
  button.type = "button";
  const arrow = document.createElement("span");
  arrow.className = "arrow";
  arrow.setAttribute("aria-hidden", "true");
  button.append(found.label, arrow);
  heading.append(button);
  table.tHead.rows[0].append(heading);
  for (const row of rowsOf(table)) {
    const value = found.figures[row.dataset.row];
    const cell = row.insertCell();
    cell.className = "number";
    cell.dataset.sort = value ?? "";
    cell.textContent = value === null || value === undefined ? "–" : value.toFixed(2);
  }
  return heading;
}

function showColumn(section, key, shown) {
  const heading = headingOf(section, key) ?? (shown ? makeColumn(section, key) : null);
  if (!heading || heading.hidden === !shown) return;
  heading.hidden = !shown;
  for (const row of rowsOf(tableOf(section))) row.cells[heading.cellIndex].hidden = !shown;
}

function columnsOf(section) {
  const own = [...tableOf(section).tHead.rows[0].cells].filter((heading) => heading.dataset.column && heading.dataset.kind);
  const listed = own.map((heading) => ({
    key: heading.dataset.column,
    label: heading.dataset.label,
    kind: heading.dataset.kind,
    usual: heading.dataset.usual === "yes" && !(narrow.matches && heading.matches(".wide")),
  }));
  const parts = Object.entries(partsOf(section)).map(([key, part]) => ({ key, label: part.label, kind: part.kind, usual: false }));
  return [...listed, ...parts];
}

function shownColumns(section) {
  return columnsOf(section).filter(({ key }) => headingOf(section, key)?.hidden === false).map(({ key }) => key);
}

function setColumns(section, keys) {
  const wanted = new Set(keys);
  for (const { key } of columnsOf(section)) showColumn(section, key, wanted.has(key));
  const shown = [...tableOf(section).tHead.rows[0].cells].filter((heading) => !heading.hidden).length;
  for (const heading of section.querySelectorAll("tr.group th")) heading.colSpan = shown;
}

function fillColumns(section) {
  const place = document.getElementById("columns");
  const shown = new Set(shownColumns(section));
  place.replaceChildren();
  for (const [kind, columns] of byKind(columnsOf(section))) {
    const set = document.createElement("fieldset");
    const legend = document.createElement("legend");
    legend.textContent = kind;
    set.append(legend, ...columns.map(({ key, label }) => checkbox("column", key, label, shown.has(key))));
    place.append(set);
  }
}

function byKind(columns) {
  const found = new Map();
  for (const column of columns) found.set(column.kind, [...(found.get(column.kind) ?? []), column]);
  return found;
}

function checkbox(name, value, text, checked) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  Object.assign(box, { type: "checkbox", name, value, checked });
  label.append(box, ` ${text}`);
  return label;
}

// Presets: which table.
function options(select, pairs, value) {
  select.replaceChildren(...pairs.map(([key, text]) => new Option(text, key, false, key === value)));
  select.disabled = pairs.length < 2;
}

function fillPresets(section) {
  const data = section.dataset;
  let among = sections;
  for (const key of PRESETS) {
    const names = key === "benchmark" ? "benchmarkName" : key;
    const values = distinct(among.map((one) => one.dataset[key]));
    if (key === "shots" && !values.length) break;
    const label = (value) => among.find((one) => one.dataset[key] === value).dataset[names];
    options(form.elements[key], values.map((value) => [value, key === "shots" ? `${value}` : label(value)]), data[key]);
    among = among.filter((one) => one.dataset[key] === data[key]);
  }
  if (!data.shots) {
    const shots = distinct(rowsOf(tableOf(section)).map((row) => row.dataset.shots)).sort((a, b) => a - b);
    options(form.elements.shots, [["", "any"], ...shots.map((value) => [value, value])], "");
  }
  const licences = distinct(rowsOf(tableOf(section)).map((row) => row.dataset.licence)).sort();
  options(form.elements.licence, [["", "any"], ...licences.map((value) => [value, value])], "");
}

function pickSection(changed) {
  const wanted = PRESETS.map((key) => [key, form.elements[key].value]);
  const matches = (section) => wanted.filter(([key, value]) => section.dataset[key] === value).length;
  const possible = sections.filter((section) => section.dataset[changed] === form.elements[changed].value);
  return possible.sort((a, b) => matches(b) - matches(a))[0] ?? current();
}

function showSection(section) {
  for (const other of sections) other.hidden = other !== section;
  fillPresets(section);
  setColumns(section, columnsOf(section).filter(({ usual }) => usual).map(({ key }) => key));
  fillColumns(section);
  showSort();
}

function showSort() {
  const heads = [...tableOf(current()).tHead.rows[0].cells].filter((heading) => !heading.hidden && heading.querySelector("button"));
  const sorted = heads.find((heading) => heading.hasAttribute("aria-sort"));
  const pairs = heads.map((heading) => [heading.dataset.column, heading.dataset.label ?? heading.textContent]);
  options(form.elements.sort, pairs, sorted?.dataset.column);
  const order = sorted?.getAttribute("aria-sort") ?? "descending";
  form.elements.order.textContent = order === "descending" ? "↓" : "↑";
  form.elements.order.setAttribute("aria-label", `Sorted ${order}; reverse`);
}

// Filters: which rows.
function chosen(name) {
  return [...form.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);
}

function applyFilters() {
  const section = current();
  const allowed = FILTERS.map((name) => [name, chosen(name)]).filter(([, values]) => values.length);
  const words = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
  const most = form.elements.parameters.value === "" ? Infinity : Number(form.elements.parameters.value) * 1e6;
  const shots = section.dataset.shots ? "" : form.elements.shots.value;
  const licence = form.elements.licence.value;
  const keeps = (row) =>
    allowed.every(([name, values]) => values.includes(row.dataset[name])) &&
    (shots === "" || row.dataset.shots === shots) &&
    (licence === "" || row.dataset.licence === licence) &&
    (most === Infinity || (row.dataset.parameters !== "" && Number(row.dataset.parameters) <= most)) &&
    words.every((word) => row.dataset.search.includes(word));
  const rows = rowsOf(tableOf(section));
  for (const row of rows) row.hidden = !keeps(row);
  const hidden = new Set(rows.filter((row) => row.hidden).map((row) => row.dataset.row));
  for (const point of section.querySelectorAll(".plot [data-row]")) {
    point.style.display = hidden.has(point.dataset.row) ? "none" : "";
  }
  for (const body of tableOf(section).tBodies) {
    const group = body.querySelector("tr.group");
    if (group) group.hidden = ![...body.rows].some((row) => row !== group && !row.hidden);
  }
  const shown = rows.filter((row) => !row.hidden).length;
  const active = allowed.length + (licence !== "") + (most !== Infinity);
  document.getElementById("active").textContent = active ? `${active} in use` : "";
  document.getElementById("status").textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
}

// The address.
function writeAddress() {
  const section = current();
  const view = new URLSearchParams({ table: section.id });
  const usual = columnsOf(section).filter((column) => column.usual).map(({ key }) => key).sort().join();
  const columns = shownColumns(section);
  if ([...columns].sort().join() !== usual) view.set("columns", columns.join());
  const sorted = tableOf(section).querySelector("th[aria-sort]");
  if (sorted) view.set("sort", `${sorted.dataset.column}:${sorted.getAttribute("aria-sort")}`);
  for (const name of FILTERS) if (chosen(name).length) view.set(name, chosen(name).join());
  for (const name of ["q", "licence", "parameters"]) if (form.elements[name].value) view.set(name, form.elements[name].value);
  if (!section.dataset.shots && form.elements.shots.value) view.set("shots", form.elements.shots.value);
  history.replaceState(null, "", `#${view}`);
}

function readAddress() {
  const text = location.hash.slice(1);
  const view = new URLSearchParams(text.includes("=") ? text : "");
  const target = text && !text.includes("=") ? document.getElementById(decodeURIComponent(text)) : null;
  const named = sections.find((section) => section.id === view.get("table"));
  const section = target?.closest("section.results") ?? named ?? current() ?? sections[0];
  showSection(section);
  if (!target) {
    for (const name of FILTERS) {
      const values = view.get(name)?.split(",") ?? [];
      for (const box of form.querySelectorAll(`input[name="${name}"]`)) box.checked = values.includes(box.value);
    }
    for (const name of ["q", "licence", "parameters"]) form.elements[name].value = view.get(name) ?? "";
    if (!section.dataset.shots) form.elements.shots.value = view.get("shots") ?? "";
    if (view.has("columns")) setColumns(section, view.get("columns").split(",")), fillColumns(section);
    const [key, order] = view.get("sort")?.split(":") ?? [];
    const heading = key && headingOf(section, key);
    if (heading?.querySelector("button") && ["ascending", "descending"].includes(order)) {
      sortTable(tableOf(section), heading, order);
    }
    showSort();
  }
  applyFilters();
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}

function changed(event) {
  const { name, value } = event.target;
  if (PRESETS.includes(name) && !(name === "shots" && !current().dataset.shots)) {
    showSection(pickSection(name));
  } else if (name === "column") {
    setColumns(current(), chosen("column"));
    showSort();
  } else if (name === "sort") {
    const heading = headingOf(current(), value);
    sortTable(tableOf(current()), heading, heading.dataset.first);
    showSort();
  }
  applyFilters();
  writeAddress();
}

if (sections.length) {
  form.hidden = false;
  document.documentElement.classList.add("scripted");
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.elements.order.addEventListener("click", () => {
    const heading = headingOf(current(), form.elements.sort.value);
    sortTable(tableOf(current()), heading, turned(heading.getAttribute("aria-sort") ?? heading.dataset.first));
    showSort();
    writeAddress();
  });
  form.elements.reset.addEventListener("click", () => {
    const section = current();
    for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = false;
    for (const name of ["q", "licence", "parameters"]) form.elements[name].value = "";
    showSection(section);
    sortTable(tableOf(section), headingOf(section, section.dataset.measure), "descending");
    showSort();
    applyFilters();
    writeAddress();
  });
  document.addEventListener("sorted", ({ target }) => target.matches(".board") && (showSort(), writeAddress()));
  addEventListener("hashchange", readAddress);
  readAddress();
}
