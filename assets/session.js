// Warns before a session ends, and keeps it alive by a button. Optional:
//   <script src="/eid/assets/session.js" defer></script>
// It asks how long is left (asking keeps nothing alive), opens a dialog two minutes before the end, and loads nothing else.
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script || !window.fetch || !window.HTMLDialogElement) return;
  const base = new URL("../", script.src);
  const WARN = 120;
  const words = {
    sv: {
      title: "Du loggas snart ut",
      idle: "Du loggas ut om ungefär {} om du inte fortsätter. Det som du inte har sparat kan gå förlorat.",
      end: "Du loggas ut om ungefär {}. Spara det som du vill behålla, och logga sedan in igen.",
      stay: "Fortsätt vara inloggad",
      close: "Stäng",
      overTitle: "Du är utloggad",
      over: "Din inloggning har upphört. Kopiera det som du vill behålla innan du lämnar sidan.",
      minutes: (n) => (n === 1 ? "en minut" : `${n} minuter`),
    },
    en: {
      title: "You will soon be logged out",
      idle: "You will be logged out in about {} unless you continue. What you have not saved may be lost.",
      end: "You will be logged out in about {}. Save what you want to keep, and then log in again.",
      stay: "Stay logged in",
      close: "Close",
      overTitle: "You are logged out",
      over: "Your login has ended. Copy what you want to keep before you leave the page.",
      minutes: (n) => (n === 1 ? "a minute" : `${n} minutes`),
    },
  };
  const say = /^en\b/i.test(document.documentElement.lang) ? words.en : words.sv;

  const dialog = document.createElement("dialog");
  const title = document.createElement("h2");
  const text = document.createElement("p");
  const stay = document.createElement("button");
  const close = document.createElement("button");
  dialog.setAttribute("role", "alertdialog");
  title.id = "grindvakt-session-title";
  text.id = "grindvakt-session-text";
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.setAttribute("aria-describedby", text.id);
  stay.type = close.type = "button";
  stay.textContent = say.stay;
  close.textContent = say.close;
  dialog.append(title, text, stay, close);

  let timer;
  const again = (seconds) => {
    clearTimeout(timer);
    timer = setTimeout(look, Math.max(5, Math.min(seconds, 600)) * 1000);
  };
  const open = (heading, sentence, mayStay) => {
    title.textContent = heading;
    text.textContent = sentence;
    stay.hidden = !mayStay;
    if (!dialog.isConnected) document.body.append(dialog);
    if (!dialog.open) dialog.showModal();
    (mayStay ? stay : close).focus();
  };
  const ask = (path, method) =>
    fetch(new URL(path, base), { method, cache: "no-store", credentials: "same-origin", headers: { accept: "application/json" } });

  let wasIn = false;
  const take = (told) => {
    wasIn = true;
    const idle = told.idle_in_seconds;
    if (idle > WARN) {
      if (dialog.open) dialog.close();
      return again(idle - WARN);
    }
    const absolute = told.ends_in_seconds <= idle;
    const left = say.minutes(Math.max(1, Math.round(idle / 60)));
    open(say.title, (absolute ? say.end : say.idle).replace("{}", left), !absolute);
    again(idle + 1);
  };
  const look = async () => {
    try {
      const answer = await ask("session", "GET");
      if (answer.ok) return take(await answer.json());
      // Whoever was never logged in on this page is told nothing.
      if (answer.status === 401) return wasIn ? open(say.overTitle, say.over, false) : undefined;
    } catch (_) {
      // No network: the session goes on or ends without us, and is asked for again.
    }
    again(30);
  };
  stay.addEventListener("click", async () => {
    try {
      const answer = await ask("session/extend", "POST");
      if (answer.ok) return take(await answer.json());
    } catch (_) {
      // As above.
    }
    look();
  });
  close.addEventListener("click", () => dialog.close());
  document.addEventListener("visibilitychange", () => document.hidden || look());
  look();
})();
