// The pages work without this script. With it they come alive: times in the reader's zone, questions before what can't be
// taken back, news without reloading, and passkeys.
"use strict";

const body = document.body, base = body.dataset.base, language = document.documentElement.lang;

// Times: the server writes them in its own zone.
const ways = {
  moment: new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }),
  clock: new Intl.DateTimeFormat(language, { timeStyle: "medium" }),
  full: new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" }),
};
const distance = new Intl.RelativeTimeFormat(language, { numeric: "always" });

function ago(then) {
  const seconds = (then - Date.now()) / 1000, past = Math.abs(seconds);
  if (past < 60) return seconds > 0 ? distance.format(Math.round(seconds), "second") : body.dataset.now;
  if (past < 120 * 60) return distance.format(Math.round(seconds / 60), "minute");
  if (past < 48 * 3600) return distance.format(Math.round(seconds / 3600), "hour");
  return distance.format(Math.round(seconds / 86400), "day");
}

function times(root) {
  for (const t of root.querySelectorAll("time[data-way]")) {
    const then = new Date(t.dateTime);
    if (isNaN(then)) continue;
    t.title = ways.full.format(then);
    t.textContent = t.dataset.way === "ago" ? ago(then) : ways[t.dataset.way].format(then);
  }
}
times(document);
setInterval(() => times(document), 30000);

// Questions before an order.
const ask = document.getElementById("ask");
document.addEventListener("submit", event => {
  const form = event.target, button = event.submitter;
  const question = (button && button.dataset.confirm) || form.dataset.confirm;
  if (!question || form.dataset.sure || !ask.showModal) {
    if (button && form.method === "post") setTimeout(() => { button.disabled = true; });
    return;
  }
  event.preventDefault();
  ask.querySelector("p").textContent = question;
  ask.onclose = () => {
    if (ask.returnValue !== "yes") return;
    form.dataset.sure = "yes";
    form.requestSubmit(button || undefined);
  };
  ask.returnValue = "";
  ask.showModal();
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form")) delete form.dataset.sure;
  for (const button of document.querySelectorAll("button:disabled")) button.disabled = false;
});

// One box for all of a list.
document.addEventListener("change", event => {
  const name = event.target.dataset.all;
  if (!name) return;
  for (const box of event.target.closest("form").querySelectorAll(`input[name="${name}"]`)) box.checked = event.target.checked;
});

// Keys: / leads to the search box, Escape closes the own menu.
document.addEventListener("keydown", event => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const box = document.getElementById("find");
    if (box) { event.preventDefault(); box.focus(); box.select(); }
  }
  const own = document.querySelector("details.own[open]");
  if (event.key === "Escape" && own) { own.open = false; own.querySelector("summary").focus(); }
});
document.addEventListener("click", event => {
  const own = document.querySelector("details.own[open]");
  if (own && !own.contains(event.target)) own.open = false;
});

// News: parts of the page are fetched anew, but never under somebody's hands.
function busy(part) {
  return part.contains(document.activeElement) || part.querySelector("details[open]:not([data-open]), input:checked, dialog[open]") ||
    ask.open || String(getSelection()).length > 0;
}
for (const d of document.querySelectorAll("[data-refresh] details[open]")) d.dataset.open = "";

let fetching = false;
async function refresh() {
  if (fetching || document.hidden) return;
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-refresh]")) {
      const other = fresh.getElementById(part.id);
      if (!other || busy(part)) continue;
      times(other);
      if (other.innerHTML === part.innerHTML && other.dataset.again === part.dataset.again) continue;
      const made = document.importNode(other, true);
      for (const d of made.querySelectorAll("details[open]")) d.dataset.open = "";
      part.replaceWith(made);
    }
  } catch (e) {
    // the next one comes
  } finally {
    fetching = false;
    again();
  }
}

function again() {
  const part = document.querySelector("[data-again]");
  if (part) setTimeout(refresh, part.dataset.again * 1000);
}
again();

// What has turned is shown at once, and then not more often than within milliseconds; many viewers do not come at the same moment.
let due = 0, last = 0;
function soon(within) {
  const now = Date.now(), at = Math.max(now + 1500 * Math.random(), last + within * (0.5 + Math.random() / 2));
  if (due && due <= at) return;
  due = at;
  setTimeout(() => { if (due) { due = 0; last = Date.now(); refresh(); } }, at - now);
}

function counts(list) {
  ["incidents", "held"].forEach((name, i) => {
    const place = document.querySelector(`[data-live-count="${name}"]`);
    if (place && place.firstChild && list[i] > 0) place.firstChild.nodeValue = new Intl.NumberFormat(language).format(list[i]);
    if ((list[i] > 0) !== Boolean(place)) soon(1000);
  });
}

const mostLines = 200;
function lines(feed, news) {
  const holder = document.createElement("ol");
  holder.innerHTML = news.html || "";
  times(holder);
  if (news.lost) {
    const note = document.createElement("li");
    note.className = "lost";
    note.textContent = body.dataset.lost.replace("%", new Intl.NumberFormat(language).format(news.lost));
    holder.prepend(note);
  }
  const empty = feed.querySelector(".empty");
  if (empty && holder.children.length) empty.remove();
  const seen = new Set([...feed.querySelectorAll("[data-id]")].map(line => line.dataset.id));
  for (const line of [...holder.children].reverse()) {
    if (line.dataset.id && seen.has(line.dataset.id)) continue;
    line.classList.add("new");
    feed.prepend(line);
  }
  while (feed.children.length > mostLines) feed.lastElementChild.remove();
}

if (body.dataset.live && "EventSource" in window) {
  const source = new EventSource(body.dataset.live), state = document.querySelector("[data-live-state]"), feed = document.getElementById("feed");
  const tell = on => {
    if (!state) return;
    state.dataset.state = on ? "on" : "off";
    state.textContent = on ? state.dataset.yes : state.dataset.no;
  };
  let lost = 0;
  source.onopen = () => { clearTimeout(lost); tell(true); };
  source.onerror = () => { clearTimeout(lost); lost = setTimeout(() => tell(false), 4000); };
  source.onmessage = event => {
    const news = JSON.parse(event.data);
    if (feed && (news.html || news.lost)) lines(feed, news);
    if (news.counts) counts(news.counts);
    if (news.turned) soon(15000);
    else if (news.html) soon(90000);
  };
  addEventListener("pagehide", () => source.close());
  setInterval(() => soon(60000), 180000);
}

// Passkeys (WebAuthn level 3): the server's words are base64url, the browser's are bytes.
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function post(path, data) {
  return fetch(base + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: data });
}

function pack(key) {
  const r = key.response, out = { clientDataJSON: text(r.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) if (r[name]) out[name] = text(r[name]);
  if (r.getTransports) out.transports = r.getTransports();
  return JSON.stringify({ id: key.id, rawId: text(key.rawId), type: key.type, response: out, clientExtensionResults: key.getClientExtensionResults(),
    authenticatorAttachment: key.authenticatorAttachment || undefined });
}

function complain(after, words) {
  let note = after.parentElement.querySelector(".note.passkey");
  if (!note) {
    note = document.createElement("p");
    note.className = "note bad passkey";
    note.setAttribute("role", "alert");
    after.after(note);
  }
  note.textContent = words;
}

const sign = document.querySelector("[data-passkey-sign]");
if (sign && window.PublicKeyCredential) {
  sign.hidden = false;
  sign.addEventListener("click", async () => {
    try {
      const publicKey = await (await post("/login/passkey?next=" + encodeURIComponent(sign.dataset.next), "")).json();
      publicKey.challenge = bytes(publicKey.challenge);
      for (const c of publicKey.allowCredentials || []) c.id = bytes(c.id);
      const answer = await post("/login/passkey/answer", pack(await navigator.credentials.get({ publicKey })));
      if (!answer.ok) throw new Error(answer.statusText);
      location.href = answer.url;
    } catch (e) {
      complain(sign, sign.dataset.failed);
    }
  });
}

const add = document.querySelector("[data-passkey-add]");
if (add && window.PublicKeyCredential) {
  add.hidden = false;
  add.addEventListener("submit", async event => {
    event.preventDefault();
    try {
      const password = add.elements.password ? add.elements.password.value : "";
      const begin = await post("/account/passkey", JSON.stringify({ password }));
      if (!begin.ok) throw new Error(begin.statusText);
      const publicKey = await begin.json();
      publicKey.challenge = bytes(publicKey.challenge);
      publicKey.user.id = bytes(publicKey.user.id);
      for (const c of publicKey.excludeCredentials || []) c.id = bytes(c.id);
      const answer = await post("/account/passkey/answer?name=" + encodeURIComponent(add.elements.name.value), pack(await navigator.credentials.create({ publicKey })));
      if (!answer.ok) throw new Error(answer.statusText);
      location.reload();
    } catch (e) {
      complain(add, add.dataset.failed);
    }
  });
}
