/* Keys, selection and confirmations of the console's own pages. htmx and Alpine come with the shell. */
(() => {
  "use strict";

  const WIDE = window.matchMedia("(min-width: 1024px)");
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const rows = () => all("#board tr[data-cause]");
  const current = () => find("#board tr[aria-current]");
  const isTyping = (target) => target.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
  let chosen = new Set();
  let open = "";

  // --- One cause beside the list ---------------------------------------------------------------------------------
  const mark = (row, { focus = true } = {}) => {
    rows().forEach((other) => other.removeAttribute("aria-current"));
    if (!row) return;
    row.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
    if (focus) find("[data-open]", row).focus({ preventScroll: true });
  };

  const show = (row, { focusPane = false, focusRow = !focusPane } = {}) => {
    const link = find("[data-open]", row);
    if (!WIDE.matches) {
      window.location.assign(link.href);
      return;
    }
    open = row.dataset.cause;
    mark(row, { focus: focusRow });
    const here = new URL(window.location);
    here.searchParams.set("cause", open);
    window.history.replaceState(window.history.state, "", here);
    window.htmx.ajax("GET", link.getAttribute("href"), { target: "#pane", swap: "innerHTML" }).then(() => {
      find("#pane").scrollTop = 0;
      if (focusPane) find("#pane").focus();
    });
  };

  const move = (step) => {
    const list = rows();
    if (!list.length) return;
    const at = list.indexOf(current());
    const next = list[Math.min(Math.max(at + step, 0), list.length - 1)];
    mark(at < 0 ? list[0] : next);
  };

  // --- Several causes ---------------------------------------------------------------------------------------------
  const showChosen = () => {
    const bar = find("[data-bulk]");
    if (!bar) return;
    bar.hidden = chosen.size === 0;
    find("[data-count]", bar).textContent = chosen.size;
    find("[data-chosen]", bar).replaceChildren(
      ...[...chosen].map((id) => Object.assign(document.createElement("input"), { type: "hidden", name: "cause", value: id })),
    );
    const boxes = all("[data-select]");
    const everything = find("[data-all]");
    if (everything) everything.checked = boxes.length > 0 && boxes.every((box) => box.checked);
  };

  const restore = () => {
    const ids = new Set(rows().map((row) => row.dataset.cause));
    chosen = new Set([...chosen].filter((id) => ids.has(id)));
    all("[data-select]").forEach((box) => { box.checked = chosen.has(box.value); });
    mark(find(`#board tr[data-cause="${CSS.escape(open)}"]`), { focus: false });
    showChosen();
  };

  // --- What happened ----------------------------------------------------------------------------------------------
  const say = (text, failed = false) => {
    let toast = find("#toast");
    if (!toast) {
      toast = Object.assign(document.createElement("div"), { id: "toast" });
      toast.setAttribute("role", "status");
      document.body.append(toast);
    }
    toast.className = failed ? "sc-toast sc-toast-bad" : "sc-toast";
    toast.textContent = text;
    clearTimeout(say.timer);
    say.timer = setTimeout(() => { toast.textContent = ""; }, failed ? 12000 : 5000);
  };

  const ask = (text) => new Promise((answer) => {
    const dialog = Object.assign(document.createElement("dialog"), { className: "sc-dialog" });
    dialog.setAttribute("aria-label", "Confirm");
    const words = Object.assign(document.createElement("p"), { textContent: text });
    const buttons = Object.assign(document.createElement("form"), { method: "dialog", className: "sc-row" });
    const yes = Object.assign(document.createElement("button"), { className: "sc-button sc-button-primary", value: "yes", textContent: "Yes" });
    const no = Object.assign(document.createElement("button"), { className: "sc-button", value: "", textContent: "Cancel" });
    buttons.append(yes, no);
    dialog.append(words, buttons);
    dialog.addEventListener("close", () => { dialog.remove(); answer(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });

  // --- Keys -------------------------------------------------------------------------------------------------------
  const press = (key) => {
    const part = find(`#pane [data-key="${key}"]`);
    if (!part) return false;
    if (part.tagName === "SUMMARY") {
      part.parentElement.open = true;
      (find("input:not([type=hidden]), select, textarea, button", part.parentElement) ?? part).focus();
    } else if (part.matches("textarea, .sc-offer button")) part.focus();
    else part.click();
    part.scrollIntoView({ block: "nearest" });
    return true;
  };

  const onTriage = (event) => {
    const row = current();
    const moves = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
    if (event.key in moves && (event.key.length === 1 || event.target.closest?.("#board"))) move(moves[event.key]);
    else if (event.key === "Enter" && row && (event.target === document.body || event.target.closest?.("#board"))) show(row, { focusPane: true });
    else if (event.key === "x" && row) find("[data-select]", row)?.click();
    else if (event.key === "?") find("#keys").showModal();
    else if ("asfrec".includes(event.key) && event.key.length === 1) {
      if (row && row.dataset.cause !== open) show(row);
      if (!press(event.key)) return;
    } else return;
    event.preventDefault();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]")) return;
    if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
    if (isTyping(event.target)) return;
    const search = find("[data-search]");
    if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (find("[data-triage]")) onTriage(event);
  });

  // --- Clicks -----------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target.closest("[data-help]")) { find("#keys").showModal(); return; }
    const box = target.closest("[data-select]");
    if (box) {
      chosen[box.checked ? "add" : "delete"](box.value);
      showChosen();
      return;
    }
    if (target.matches("[data-all]")) {
      all("[data-select]").forEach((one) => {
        one.checked = target.checked;
        chosen[target.checked ? "add" : "delete"](one.value);
      });
      showChosen();
      return;
    }
    const row = target.closest("#board tr[data-cause]");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey || target.closest(".sc-check")) return;
    event.preventDefault();
    show(row);
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.ask || form.dataset.asked) return;
    event.preventDefault();
    ask(form.dataset.ask).then((yes) => {
      if (!yes) return;
      form.dataset.asked = "1";
      form.requestSubmit();
    });
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });

  // --- htmx -------------------------------------------------------------------------------------------------------
  document.addEventListener("toast", (event) => say(event.detail.text, event.detail.failed));

  // A refusal carries its own place; anything else that failed is said, never swapped into the page.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const answer = event.detail.xhr;
    if (answer.status < 400) return;
    if (answer.getResponseHeader("X-Console-Notice")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    } else if (answer.status === 403) say("Your role does not allow this, or the page was open for too long. Reload it.", true);
    else say(`That did not work (${answer.status}). Try again.`, true);
  });
  document.addEventListener("htmx:sendError", () => say("The server does not answer. Try again in a moment.", true));

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "board") restore();
    if (event.detail.target.id === "preview") {
      const notice = find("#notice");
      if (notice) notice.replaceChildren();
      find("#preview [data-confirm]")?.focus();
      find("#preview")?.scrollIntoView({ block: "nearest" });
    }
    if (event.detail.target.id === "notice") event.detail.target.scrollIntoView({ block: "nearest" });
  });

  document.addEventListener("DOMContentLoaded", () => {
    const list = rows();
    if (!list.length || !WIDE.matches) return;
    const wanted = new URLSearchParams(window.location.search).get("cause");
    show(list.find((row) => row.dataset.cause === wanted) ?? list[0], { focusRow: false });
  });
})();
