// What a page does beyond links and forms: it stays up to date, copies, counts what is chosen.
// Without it all works as well. Parts are [data-part]; <body data-live> says where their news are.
"use strict";
(() => {
  const WAITS = [5, 10, 20, 60], PAUSED = "refresher paused", body = document.body;
  const one = (what, within = document) => within.querySelector(what);
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  const parsed = (text) => new DOMParser().parseFromString(text, "text/html");
  const FAILED = "This page could not be updated. It tries again by itself.";
  const main = one("main"), address = body.dataset.live, shown = new Map();
  let tag = "", failures = 0, timer = 0, asking = false, over = false;

  const isPaused = () => { try { return sessionStorage.getItem(PAUSED) === "yes"; } catch { return false; } };

  function later() {
    clearTimeout(timer);
    if (over || document.hidden || isPaused()) return;
    timer = setTimeout(ask, WAITS[Math.min(failures, WAITS.length - 1)] * 1000);
  }

  async function ask() {
    if (asking || over || document.hidden || isPaused()) return;
    asking = true;
    try {
      const headers = tag ? { "If-None-Match": tag } : {}, signal = AbortSignal.timeout(15000);
      await take(await fetch(address, { headers, signal, cache: "no-store", redirect: "error" }));
    } catch {
      fail(FAILED);
    }
    asking = false;
    later();
  }

  async function take(answer) {
    if (answer.status === 401 || answer.status === 404) {
      over = true;
      say(answer.status === 401 ? "Your session has ended." : "What this page shows is not here any more.", true);
    } else if (answer.status === 304 || answer.ok) {
      failures = 0;
      one("[data-banner]")?.remove();
      delete body.dataset.away;
      const kept = answer.status === 304 || swap(await answer.text());
      if (answer.status !== 304) tag = kept ? answer.headers.get("ETag") || "" : "";
      else age(answer.headers.get("X-Updated"));
    } else {
      fail(parsed(await answer.text()).body.textContent.trim() || FAILED);
    }
  }

  // Returns false where a part was left as it is, because somebody is in it.
  function swap(text) {
    let whole = true;
    for (const news of all("template[data-part]", parsed(text))) {
      const name = news.dataset.part, part = one(`[data-part="${name}"]:not(template)`);
      if (!part || (shown.get(name) ?? part.innerHTML) === news.innerHTML) continue;
      if (isHeld(part)) { whole = false; continue; }
      shown.set(name, news.innerHTML);
      const open = all("details", part).map((details) => details.open);
      part.replaceChildren(document.importNode(news.content, true));
      all("details", part).forEach((details, n) => { if (open[n]) details.open = true; });
      dress(part);
    }
    return whole;
  }

  function isHeld(part) {
    const chosen = getSelection();
    return part.contains(document.activeElement) ||
      (!chosen.isCollapsed && chosen.rangeCount > 0 && chosen.getRangeAt(0).intersectsNode(part));
  }

  // "2026-11-29T14:32:12Z 14:32:12": the instant, and how it is written here.
  function age(updated) {
    const time = one('[data-part="age"] time'), [at, text] = (updated || "").split(" ");
    if (time && text) { time.dateTime = at; time.textContent = text; }
  }

  function fail(sentence) {
    failures += 1;
    body.dataset.away = "";
    say(sentence);
  }

  function say(sentence, isOver) {
    const old = one("[data-banner]");
    if (old?.firstChild.textContent === sentence) return;
    old?.remove();
    main.insertAdjacentHTML("afterbegin", '<section class="verdict is-bad" role="alert" data-banner><h2></h2></section>');
    one("[data-banner] h2").textContent = sentence;
    if (isOver) one("[data-banner]").insertAdjacentHTML("beforeend", '<p><a href="">Reload</a></p>');
  }

  function begin() {
    const pause = document.createElement("button");
    Object.assign(pause, { type: "button", className: "tiny", textContent: "Pause updates" });
    one(".live a")?.remove();
    one(".live")?.append(pause);
    pause.ariaPressed = String(isPaused());
    pause.addEventListener("click", () => {
      try { sessionStorage.setItem(PAUSED, isPaused() ? "no" : "yes"); } catch { return; }
      pause.ariaPressed = String(isPaused());
      isPaused() ? clearTimeout(timer) : ask();
    });
    document.addEventListener("visibilitychange", () => document.hidden ? clearTimeout(timer) : ask());
    later();
  }

  function dress(within) {
    if (navigator.clipboard) all("[data-copy]", within).forEach((button) => { button.hidden = false; });
  }

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    const word = button.firstChild, before = word.textContent;
    if (before !== "Copied") setTimeout(() => { word.textContent = before; }, 1500);
    word.textContent = "Copied";
  });

  function count(form) {
    const boxes = all('input[name="id"]:not(:disabled)', form), number = boxes.filter((box) => box.checked).length;
    all("[data-chosen]", form).forEach((place) => { place.textContent = `${number} chosen`; });
    all("[data-all]", form).forEach((box) => { box.checked = number > 0 && number === boxes.length; });
  }

  document.addEventListener("change", ({ target }) => {
    if (target.matches("[data-all]")) all('input[name="id"]:not(:disabled)', target.form).forEach((box) => { box.checked = target.checked; });
    if (target.matches('[data-all], input[name="id"]') && target.form) count(target.form);
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey || body.dataset.slash === "off") return;
    event.preventDefault();
    one("#find")?.focus();
  });

  dress(document);
  all("form:has([data-chosen])").forEach((form) => { all("[data-all]", form).forEach((box) => { box.hidden = false; }); count(form); });
  // Once the browser has gone to the place that the address names, which takes the focus.
  addEventListener("load", () => one("[data-focus]")?.focus());
  one("form[data-press]")?.requestSubmit();
  if (address && one("main [data-part]")) begin();
})();
