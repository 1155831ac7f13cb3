"use strict";
// Names typed into the boxes are kept in the browser, and saved as the file that `okulo series label` reads.
const boxes = [...document.querySelectorAll("input[data-group]")];
const key = "okulo series " + document.body.dataset.store;
const said = () => Object.fromEntries(boxes.filter((b) => b.value.trim()).map((b) => [b.dataset.group, b.value.trim()]));
const tell = () => {
  const named = Object.keys(said()).length;
  document.getElementById("named").textContent = `${named} of ${boxes.length} groups named`;
};
try {
  const kept = JSON.parse(localStorage.getItem(key) || "{}");
  for (const box of boxes) if (!box.value && kept[box.dataset.group]) box.value = kept[box.dataset.group];
} catch { /* no storage: the file is what counts */ }
for (const box of boxes) {
  box.addEventListener("input", () => {
    tell();
    try { localStorage.setItem(key, JSON.stringify(said())); } catch { /* as above */ }
  });
}
for (const button of document.querySelectorAll("button.save")) {
  button.addEventListener("click", () => {
    const text = JSON.stringify({ store: document.body.dataset.store, names: said() }, null, 2) + "\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "names.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}
document.querySelector(".bar").hidden = false;
tell();
