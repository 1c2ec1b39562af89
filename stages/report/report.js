"use strict";
// A header's button sorts its table; a second click reverses the order. Empty cells stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(head.firstChild);
    head.prepend(button);
    button.addEventListener("click", () => {
      const rows = [...table.tBodies[0].rows];
      const value = row => row.cells[column].dataset.value;
      const filled = rows.map(value).filter(text => text !== undefined);
      const numeric = filled.every(text => text.trim() !== "" && isFinite(text));
      const now = head.getAttribute("aria-sort");
      const up = now ? now === "descending" : !numeric || column === 0;
      const order = (a, b) => numeric ? a - b : a.localeCompare(b, "en");
      rows.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
        return up ? order(x, y) : order(y, x);
      });
      table.tBodies[0].append(...rows);
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    });
  });
}
