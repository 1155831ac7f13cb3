"use strict";
// Sort a table by the column whose button was pressed; a second press turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");  // the undefined stay last
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}
// Move the threshold and read off what it would do.
const slider = document.getElementById("slider");
if (slider) {
  const at = JSON.parse(document.getElementById("curve").textContent);
  const percent = (share) => (100 * share).toFixed(1) + "\u202f%";
  const put = (id, text) => { document.getElementById(id).textContent = text; };
  slider.closest(".try").hidden = false;
  slider.addEventListener("input", () => {
    const i = Number(slider.value);
    const x = (share) => at.left + share * at.wide;
    const y = at.bottom - at.errors[i] * at.high;
    const refused = x(1 - at.kept[i]);
    const dot = document.getElementById("trade-dot");
    dot.setAttribute("cx", refused);
    dot.setAttribute("cy", y);
    document.getElementById("trade-cross").setAttribute("d", `M${refused} ${at.bottom}V${y}H${at.left}`);
    const line = x(at.threshold[i]);
    document.getElementById("at-cross").setAttribute("d", `M${line} ${at.bottom}V${at.bottom - at.high}`);
    put("try-threshold", at.threshold[i].toFixed(2));
    put("try-refused", percent(1 - at.kept[i]));
    put("try-removed", percent(1 - at.errors[i]));
    put("try-risk", percent(at.risk[i]));
    slider.setAttribute("aria-valuetext", `threshold ${at.threshold[i].toFixed(2)}, ${percent(1 - at.kept[i])} refused`);
  });
}
