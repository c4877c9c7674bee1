"use strict";
// Polls the verification and updates the page when its words change. Without this script the page
// says the same at each load, and "Check again" reloads it.
(() => {
  const FIRST_MS = 2000, LONGEST_MS = 15000, ENOUGH_MS = 15 * 60000, ANSWER_MS = 10000;
  const find = (selector) => document.querySelector(selector);
  // The vendor may have stuck its own parameter to the path.
  const address = location.pathname.split("&")[0].replace(/\/+$/, "") +
    "/state?lang=" + document.documentElement.lang;
  // Behind the heading's words the title says whose page it is.
  const whose = document.title.slice(find("h1").textContent.length);
  const started = Date.now();
  let wait = FIRST_MS, timer = 0, asking = false;

  function show(state) {
    const title = state.title + whose;
    if (document.title !== title) document.title = title;
    document.body.dataset.page = state.page;
    write(find("h1"), state.title);
    write(find("[role=status] p"), state.text);
  }

  // A screen reader announces each write to a status region, also one of the same words.
  function write(element, words) {
    if (element.textContent !== words) element.textContent = words;
  }

  function end() {
    stop();
    const again = find(".again"), focused = again.contains(document.activeElement);
    again.remove();
    if (focused) {
      find("h1").tabIndex = -1;
      find("h1").focus();
    }
  }

  function pause() {
    stop();
    find(".paused").hidden = false;
  }

  function stop() {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", wake);
    delete document.body.dataset.live;
    find(".live").hidden = true;
  }

  async function ask() {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    const patience = new AbortController();
    const late = setTimeout(() => patience.abort(), ANSWER_MS);
    try {
      const answer = await fetch(address, {
        cache: "no-store", credentials: "omit", signal: patience.signal,
      });
      if (answer.status === 404) return pause();
      if (answer.ok) {
        const state = await answer.json();
        show(state);
        if (state.settled) return end();
      }
    } catch {
      // Offline, or the server is away for a moment: ask again later.
    } finally {
      clearTimeout(late);
      asking = false;
    }
    if (Date.now() - started > ENOUGH_MS) return pause();
    wait = Math.min(wait * 1.5, LONGEST_MS);
    timer = setTimeout(ask, wait);
  }

  function wake() {
    if (document.visibilityState === "visible") {
      wait = FIRST_MS;
      ask();
    }
  }

  document.body.dataset.live = "";
  find(".live").hidden = false;
  document.addEventListener("visibilitychange", wake);
  timer = setTimeout(ask, wait);
})();
