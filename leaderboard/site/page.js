"use strict";

// Click on a heading sorts the rows of every group by that column; again reverses.
function sortValue(row, column) {
  const cell = row.cells[column];
  const key = cell.dataset.sort ?? cell.textContent.trim();
  const number = Number(key);
  return key === "" || Number.isNaN(number) ? { text: key.toLowerCase() } : { number };
}

function compare(a, b, sign) {
  if (a.number !== undefined && b.number !== undefined) return sign * (a.number - b.number);
  if (a.number === undefined && b.number === undefined) return sign * a.text.localeCompare(b.text);
  return a.number === undefined ? 1 : -1; // what is unknown comes last, whichever way figures run
}

function sortTable(table, heading) {
  const column = heading.cellIndex;
  const now = heading.getAttribute("aria-sort");
  const first = heading.dataset.first;
  const order = now === first ? (first === "descending" ? "ascending" : "descending") : first;
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
    rows.sort((a, b) => compare(sortValue(a, column), sortValue(b, column), sign));
    body.append(...rows);
  }
}

for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => sortTable(button.closest("table"), button.closest("th")));
}

// A method's name leads to its provenance, which opens.
function openTarget() {
  const target = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
  if (target instanceof HTMLDetailsElement) target.open = true;
}

window.addEventListener("hashchange", openTarget);
openTarget();
