// The page of the board. The server sends the cells that changed; they are set as text, never as markup.

const find = (name) => document.getElementById(name);
const token = document.querySelector("meta[name=csrf]").content;
const SILENCE = 12000; // milliseconds without a word after which the figures are not believed

// ---- regions: rows by id, cells by name ----

class Region {
  constructor(body) {
    this.body = body;
    this.isSingle = "single" in body.dataset;
    this.template = document.querySelector(`template[data-row="${body.dataset.region}"]`);
    this.rows = new Map();
  }

  change({ whole = false, rows = {}, gone = [], order = null }) {
    if (whole) for (const id of [...this.rows.keys()]) if (!(id in rows)) this.remove(id);
    for (const id of gone) this.remove(id);
    for (const [id, cells] of Object.entries(rows)) this.row(id).set(cells, whole);
    if (order && !this.isSingle) this.sort(order);
  }

  row(id) {
    if (!this.rows.has(id)) {
      const element = this.isSingle ? this.body : this.template.content.firstElementChild.cloneNode(true);
      this.rows.set(id, new Row(id, element));
      if (!this.isSingle) this.body.append(element);
    }
    return this.rows.get(id);
  }

  remove(id) {
    if (!this.isSingle) this.rows.get(id)?.element.remove();
    this.rows.delete(id);
  }

  // Rows that are where they belong are not touched: one that has the focus keeps it.
  sort(order) {
    let next = this.body.firstElementChild;
    for (const id of order) {
      const element = this.rows.get(id)?.element;
      if (element === next) next = next?.nextElementSibling ?? null;
      else if (element) this.body.insertBefore(element, next);
    }
  }
}

class Row {
  constructor(id, element) {
    this.id = id;
    this.element = element;
    this.cells = {};
    element.dataset.id = id;
    this.places = Map.groupBy(element.querySelectorAll("[data-cell]"), (place) => place.dataset.cell);
    for (const button of element.querySelectorAll("button[data-do]")) {
      button.title = MEANINGS[button.dataset.do];
      if (element.tagName === "TR") button.setAttribute("aria-label", `${button.textContent} ${id}`);
    }
  }

  set(cells, whole) {
    if (whole) for (const name of Object.keys(this.cells)) if (!(name in cells)) cells[name] = "";
    Object.assign(this.cells, cells);
    for (const [name, text] of Object.entries(cells)) {
      if (name.startsWith("row:")) this.mark(name.slice(4), text);
      else for (const place of this.places.get(name) ?? []) put(place, text);
    }
  }

  mark(name, text) {
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    this.element.dataset[name] = text;
    const other = SWAPPED[focused?.dataset.do];
    if (other && focused.offsetParent === null) this.element.querySelector(`[data-do="${other}"]`).focus();
  }
}

// Pausing hides the button that has the focus, and shows the one that ends it: the focus goes with it.
const SWAPPED = { pause: "resume", resume: "pause" };

function put(place, text) {
  if (place.dataset.attribute) return place.setAttribute(place.dataset.attribute, text);
  if ("hide" in place.dataset) place.hidden = !text;
  const node = place.firstChild;
  if (!node) place.append(text);
  else if (node.data !== text) node.data = text; // the same node: a selection in it stays
}

const regions = new Map();
for (const body of document.querySelectorAll("[data-region]")) regions.set(body.dataset.region, new Region(body));

// ---- the stream of events ----

let heard = Date.now();

function said(state, text) {
  const link = find("link");
  if (link.dataset.state === state) return;
  link.dataset.state = state;
  link.textContent = text;
}

function listen() {
  const stream = new EventSource("/events?only=regions");
  for (const [name, region] of regions) {
    stream.addEventListener(name, (event) => {
      heard = Date.now();
      region.change(JSON.parse(event.data));
      after(name);
      said("live", "live");
    });
  }
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) return said("lost", "connection lost, trying again");
    // The server refused: after a restart of the board, or at the end of the session, somebody has to log in again.
    said("out", "connection lost");
    setTimeout(again, 2000);
  };
}

async function again() {
  try {
    const answer = await fetch("/", { headers: { accept: "text/html" } });
    if (answer.status === 401) return said("over", "logged out: reload the page");
    if (answer.ok) return location.reload();
  } catch {
    // still not there
  }
  setTimeout(again, 2000);
}

setInterval(() => {
  if (Date.now() - heard > SILENCE && find("link").dataset.state === "live") said("lost", "no news: figures are old");
}, 1000);

function after(name) {
  if (name === "followers") {
    filter();
    if (find("follower-dialog").open) showFollower(find("follower-dialog").dataset.id);
  }
  if (name === "events") count();
  if (name === "troubles" || name === "reasons") filterTroubles();
}

// ---- what is shown of the followers, and of one ----

function filter() {
  const wanted = find("find").value.trim().toLowerCase();
  const onlyTrouble = find("trouble").checked;
  for (const { id, element } of regions.get("followers").rows.values()) {
    const hidden = !id.toLowerCase().includes(wanted) || (onlyTrouble && element.dataset.health === "good");
    if (element.hidden !== hidden) element.hidden = hidden;
  }
}

// Skips and failures: of one kind, and of one reason.
let reason = "";

function filterTroubles() {
  const kind = find("kind").value;
  for (const { element } of regions.get("troubles").rows.values()) {
    const { status, why } = element.dataset;
    element.hidden = Boolean((kind && status !== kind) || (reason && `${status} ${why}` !== reason));
  }
  for (const { id, element } of regions.get("reasons").rows.values()) {
    element.hidden = Boolean(kind && element.dataset.status !== kind);
    element.firstElementChild.setAttribute("aria-pressed", String(id === reason));
  }
  find("every-reason").hidden = !reason;
}

function showReason(id) {
  reason = id === reason ? "" : id;
  filterTroubles();
}

function showFollower(id) {
  const dialog = find("follower-dialog");
  const row = regions.get("followers").rows.get(id);
  if (!row) return;
  dialog.dataset.id = id;
  for (const name of ["paused", "quarantined"]) dialog.dataset[name] = row.cells[`row:${name}`] ?? "";
  for (const place of dialog.querySelectorAll("[data-cell]")) put(place, row.cells[place.dataset.cell] || "-");
  if (!dialog.open) dialog.showModal();
}

async function showOrder(id) {
  find("order-name").textContent = id;
  find("order-text").textContent = "…";
  find("order-dialog").showModal();
  try {
    const answer = await fetch(`/api/orders/${encodeURIComponent(id)}`);
    const found = await answer.json();
    find("order-text").textContent = found.text ?? found.error;
  } catch {
    find("order-text").textContent = "The board does not answer.";
  }
}

// ---- alerts that nobody has read ----

function count() {
  const seen = localStorage.getItem("seen") ?? "";
  let unread = 0;
  for (const { id, element } of regions.get("events").rows.values()) {
    const isNew = element.dataset.kind === "alert" && id > seen;
    element.dataset.unread = isNew ? "yes" : "";
    unread += isNew;
  }
  find("unread").dataset.unread = unread;
  put(find("unread-count"), String(unread));
}

function markRead() {
  const alerts = [...regions.get("events").rows.values()].filter(({ element }) => element.dataset.kind === "alert");
  const latest = alerts.map(({ id }) => id).sort().at(-1);
  if (latest) localStorage.setItem("seen", latest);
  count();
}

// ---- controls ----

const WORDS = {
  pause: "Pause", resume: "Resume", flatten: "Flatten", try_again: "Copy what is missing", retry: "End quarantine",
};
const MEANINGS = {
  pause: "No more entries; exits and cancellations go on",
  resume: "Entries are copied again",
  flatten: "Cancel copies, and close at the market what is held by copying",
  try_again: "Decide again what was skipped, refused or left unfilled today",
  retry: "Give a follower another chance that crashed again and again",
};

async function post(address, body) {
  const headers = { "content-type": "application/json", "x-csrf-token": token };
  return fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
}

async function give(command, follower, confirm) {
  const line = say(`${WORDS[command]} ${follower || "everybody"}: …`);
  // An id of ours: what is sent again after a lost answer is not done twice.
  const body = { command, follower, confirm, id: crypto.randomUUID?.() ?? String(Math.random()).slice(2) };
  try {
    let answer = await post("/api/commands", body);
    const given = await answer.json();
    if (!answer.ok) return tell(line, given.error, "refused");
    for (let tries = 0; tries < 240; tries += 1) {
      answer = await fetch(`/api/commands/${given.id}`);
      const outcome = await answer.json();
      if (outcome.state === "done" || outcome.state === "refused") return tell(line, outcome.answer, outcome.state);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    tell(line, "no answer yet; events and log say how far it has come", "refused");
  } catch {
    tell(line, "the board does not answer; events say whether it was taken", "refused");
  }
}

function say(text) {
  const line = document.createElement("p");
  line.textContent = text;
  find("said").append(line);
  while (find("said").children.length > 4) find("said").firstElementChild.remove();
  return line;
}

function tell(line, text, state) {
  line.textContent = text;
  line.dataset.state = state;
  setTimeout(() => line.remove(), 15000);
}

function askToFlatten(follower) {
  const dialog = find("confirm-dialog");
  dialog.dataset.follower = follower;
  find("confirm-whom").textContent = follower || "everybody";
  find("confirm-name").textContent = follower || "all";
  find("confirm").value = "";
  find("confirm-do").disabled = true;
  dialog.showModal();
  find("confirm").focus();
}

find("confirm").addEventListener("input", () => {
  find("confirm-do").disabled = find("confirm").value !== find("confirm-name").textContent;
});
find("confirm-cancel").addEventListener("click", () => find("confirm-dialog").close());
find("confirm-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const dialog = find("confirm-dialog");
  dialog.close();
  give("flatten", dialog.dataset.follower, find("confirm").value);
});
find("logout").addEventListener("click", async () => {
  await post("/logout", {});
  location.assign("/login");
});
find("find").addEventListener("input", filter);
find("trouble").addEventListener("change", filter);
find("kind").addEventListener("change", () => showReason(""));
find("every-reason").addEventListener("click", () => showReason(""));
find("unread").addEventListener("click", markRead);

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-do], button[data-show]");
  if (!button) return;
  if (button.dataset.show === "order") return showOrder(button.textContent);
  const id = button.closest("tr, li, dialog")?.dataset.id ?? "";
  if (button.dataset.show === "reason") return showReason(id);
  if (button.dataset.show === "follower") return showFollower(id);
  if (button.dataset.do === "flatten") return askToFlatten(id);
  give(button.dataset.do, id);
});

listen();
