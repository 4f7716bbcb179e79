// Single keys lead to the forms of a case and to its neighbours; none of them sends anything, and all can be switched off.

const SETTING = "tributary-keys";
const isOff = () => localStorage.getItem(SETTING) === "off";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  const field = event.target.closest?.("input, select, textarea");
  if (field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  if (isOff()) return;
  const place = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!place) return;
  event.preventDefault();
  if (place.matches("a")) {
    place.click();
  } else if (place.matches("details")) {
    place.open = !place.open;
    place.querySelector("summary").focus();
  } else {
    place.focus();
    place.scrollIntoView({ block: "center" });
  }
});

const toggle = document.querySelector("[data-keys-off]");
if (toggle) {
  const name = () => (toggle.textContent = isOff() ? toggle.dataset.keysOn : toggle.dataset.keysOff);
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    localStorage.setItem(SETTING, isOff() ? "on" : "off");
    name();
  });
  name();
}
