"use strict";
// Polls the verification and updates the page when its texts change. Without this script "Check
// again" reloads the page.
(() => {
  const FIRST_MS = 2000, LONGEST_MS = 15000, ENOUGH_MS = 15 * 60000, ANSWER_MS = 10000;
  const find = (selector) => document.querySelector(selector);
  // The vendor may have appended its own parameter to the path.
  const address = location.pathname.split("&")[0].replace(/\/+$/, "") +
    "/state?lang=" + document.documentElement.lang;
  // The title is the heading, followed by the brand's name if there is one.
  const brandSuffix = document.title.slice(find("h1").textContent.length);
  const started = Date.now();
  let wait = FIRST_MS, timer = 0, asking = false;

  function show(state) {
    const title = state.title + brandSuffix;
    if (document.title !== title) document.title = title;
    document.body.dataset.page = state.page;
    write(find("h1"), state.title);
    write(find("[role=status] p"), state.text);
  }

  // A screen reader announces each write to a status region, also of an unchanged text.
  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
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
    const controller = new AbortController();
    const timeout = setTimeout(() => controller.abort(), ANSWER_MS);
    try {
      const answer = await fetch(address, {
        cache: "no-store", credentials: "omit", signal: controller.signal,
      });
      if (answer.status === 404) return pause();
      if (answer.ok) {
        const state = await answer.json();
        show(state);
        if (state.settled) return end();
      }
    } catch {
      // Offline, or the server is unreachable: ask again later.
    } finally {
      clearTimeout(timeout);
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
