// Before anything is drawn: says that scripts run, so that what needs them is shown and nothing jumps later.
document.documentElement.classList.add("has-scripts");
