// Before anything is drawn: the theme that was chosen last. Without one the system's counts.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("tinyc-theme");
  } catch {
    // Storage may be switched off.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
