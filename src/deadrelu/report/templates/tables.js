// Turn the headings of sortable tables into buttons that sort the rows. Without this script, tables keep their order.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const written = [...table.tBodies[0].rows];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.title = "Sort by this column";
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const order = { ascending: "descending", descending: null }[heading.ariaSort] ?? (heading.ariaSort ? null : "ascending");
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      const sorted = [...written];
      if (order) {
        heading.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        sorted.sort((a, b) => sign * compared(a.cells[column].textContent, b.cells[column].textContent));
      }
      table.tBodies[0].append(...sorted);
    });
  });
}

// Compare texts by leading number, as in "> 90.0 %" or "×0.66 (0.5 to 0.7)", then by alphabet. Texts without one come first.
function compared(a, b) {
  const [x, y] = [number(a), number(b)];
  if (x === null || y === null) return (x !== null) - (y !== null) || a.localeCompare(b, "en");
  return x - y || a.localeCompare(b, "en");
}

function number(text) {
  const match = /^[><×≥≤\s]*([+−-]?\d[\d,]*\.?\d*(?:e[+-]?\d+)?)/i.exec(text);
  return match ? parseFloat(match[1].replaceAll(",", "").replace("−", "-")) : null;
}
