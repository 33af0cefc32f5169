// Keeps the parts of a page marked with data-live fresh; pages work without it.
"use strict";
(() => {
  const EVERY = 2000; // milliseconds between two looks
  const refresh = async (part) => {
    if (document.hidden) return true;
    const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" }, redirect: "error" });
    if (!answer.ok) return false;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = fresh.querySelector("[data-part]");
    if (!next || next.dataset.part !== part.dataset.part) return false;
    if (next.innerHTML !== part.innerHTML) part.replaceChildren(...next.childNodes);
    if ("live" in next.dataset) return true;
    delete part.dataset.live; // it has ended: nothing more will change
    return false;
  };
  const watch = (part) => {
    const look = async () => {
      let more;
      try {
        more = await refresh(part);
      } catch {
        more = true; // the server is away for a moment; look again
      }
      if (more) setTimeout(look, EVERY);
    };
    setTimeout(look, EVERY);
  };
  document.querySelectorAll("[data-live]").forEach(watch);
})();
