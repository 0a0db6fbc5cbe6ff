"use strict";

// Sorting: a click on a heading sorts the rows of every group by that column; again reverses.
const sortable = (body) => [...body.rows].filter((row) => !row.matches(".group"));

function sortValue(row, column) {
  const cell = row.cells[column];
  const key = cell.dataset.sort ?? cell.textContent.trim();
  const number = Number(key);
  return key === "" || Number.isNaN(number) ? { text: key.toLowerCase() } : { number };
}

function inOrder(a, b, sign) {
  if (a.number !== undefined && b.number !== undefined) return sign * (a.number - b.number);
  if (a.text !== undefined && b.text !== undefined && a.text !== "" && b.text !== "") {
    return sign * a.text.localeCompare(b.text);
  }
  return known(b) - known(a); // what is unknown comes last, whichever way figures run
}

const known = (value) => (value.number !== undefined ? 2 : value.text === "" ? 0 : 1);
const turned = (order) => (order === "descending" ? "ascending" : "descending");

function sortTable(table, heading, order) {
  const column = heading.cellIndex;
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  for (const body of table.tBodies) {
    const keyed = sortable(body).map((row) => [sortValue(row, column), row]);
    keyed.sort((a, b) => inOrder(a[0], b[0], sign));
    body.append(...keyed.map(([, row]) => row));
  }
}

document.addEventListener("click", (event) => {
  const heading = event.target.closest("table.sortable th button")?.closest("th");
  if (!heading) return;
  const now = heading.getAttribute("aria-sort");
  const first = heading.dataset.first;
  const table = heading.closest("table");
  sortTable(table, heading, now === first ? turned(first) : first);
  table.dispatchEvent(new Event("sorted", { bubbles: true }));
});
