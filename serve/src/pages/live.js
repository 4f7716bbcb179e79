// Puts what the server tells into the places that wait for it; without this script a page shows what was true when it was
// asked for.

const source = document.querySelector("[data-live]");

if (source) {
  const state = document.querySelector("[data-live-state]");
  const events = new EventSource(source.dataset.live);
  events.addEventListener("open", () => state?.removeAttribute("hidden"));
  events.addEventListener("error", () => state?.setAttribute("hidden", ""));
  events.addEventListener("message", (message) => {
    for (const [name, text] of Object.entries(JSON.parse(message.data))) {
      for (const place of source.querySelectorAll(`[data-value="${CSS.escape(name)}"]`)) {
        if (place.textContent === text) continue;
        place.textContent = text;
        place.classList.remove("changed");
        requestAnimationFrame(() => place.classList.add("changed"));
      }
    }
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.done;
  });
}
