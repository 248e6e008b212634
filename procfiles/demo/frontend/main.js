// The page: shows the newest picture of the stack that the backend sends, and queues takes.

const api = new URL(import.meta.env.PUBLIC_API_URL);
// Opened from a phone (`roadie up --lan`), "localhost" would be the phone.
if (location.hostname !== "localhost") api.hostname = location.hostname;

const find = (selector, from = document) => from.querySelector(selector);
const player = new Audio();
let playing = null; // the id of the take that sounds
let latest = { takes: [] };

listen();
find("#record").addEventListener("click", record);
for (const name of ["ended", "pause", "play"]) player.addEventListener(name, () => paint(latest));

function listen() {
  const events = new EventSource(new URL("/events", api));
  events.onmessage = (event) => paint(JSON.parse(event.data));
  events.onerror = () => {
    part("backend", "bad", "does not answer");
    for (const name of ["redis", "worker", "transcoder"]) part(name, "off", "–");
    find("#record").disabled = true;
    // The browser tries again by itself, unless the answer was an error.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 1000);
  };
}

async function record() {
  say("");
  try {
    const answer = await fetch(new URL("/takes", api), { method: "POST" });
    if (!answer.ok) say((await answer.json()).detail ?? `the backend says ${answer.status}`);
  } catch {
    say("the backend does not answer");
  }
}

function paint(picture) {
  latest = picture;
  paintChain(picture);
  const rows = picture.takes.map(takeRow);
  find("#takes").replaceChildren(...rows);
  find("#empty").hidden = rows.length > 0;
}

function paintChain({ backend, redis, worker, transcoder, takes }) {
  if (!backend) return;
  const doing = (state) => takes.filter((take) => take.state === state).length;
  part("backend", "good", `pid ${backend.pid}`);
  part("redis", redis.ok ? "good" : "bad", redis.ok ? `${redis.version}, ${redis.ms} ms` : "does not answer");
  const waiting = doing("queued");
  if (!worker) part("worker", "off", "–");
  else if (!worker.live) part("worker", "bad", waiting ? `none, ${waiting} waiting` : "none is running");
  else part("worker", "good", doing("running") ? "recording" : "idle", doing("running") > 0);
  if (!transcoder) part("transcoder", "off", "off");
  else part("transcoder", transcoder.ok ? "good" : "bad", transcoder.ok ? "ready" : "does not answer");
  find("#record").disabled = !redis.ok;
}

function part(name, state, text, busy = false) {
  const item = find(`[data-part=${name}]`);
  item.className = busy ? `${state} busy` : state;
  find("span", item).textContent = text;
}

function takeRow(take) {
  const row = find("#take").content.cloneNode(true).firstElementChild;
  row.className = take.state;
  find(".wave path", row).setAttribute("d", wave(take.peaks ?? []));
  find("b", row).textContent = `take ${take.id}`;
  find("span", row).textContent = facts(take);
  find("em", row).textContent = take.state === "running" ? `${take.notes ?? 0} of ${take.of ?? "…"}` : take.state;
  const button = find(".play", row);
  const sounds = playing === take.id && !player.paused;
  button.disabled = take.state !== "done";
  button.ariaLabel = sounds ? "Stop" : "Play";
  find("path", button).setAttribute("d", sounds ? "M2 1h2v8h-2zM6 1h2v8h-2z" : "M2 1l7 4l-7 4z");
  button.addEventListener("click", () => (sounds ? player.pause() : play(take.id)));
  return row;
}

function play(id) {
  playing = id;
  player.src = new URL(`/takes/${id}/audio`, api);
  player.play().catch((error) => say(`cannot play: ${error.message}`));
}

function wave(peaks) {
  const top = Math.max(40, ...peaks);
  return peaks.map((peak, at) => {
    const half = Math.max(0.4, (peak / top) * 9);
    return `M${at + 0.5} ${10 - half}V${10 + half}`;
  }).join("");
}

function facts(take) {
  if (take.state === "queued") return `since ${time(take.queued_at)}, waits for a worker`;
  if (take.state === "failed") return take.error;
  const waited = `waited ${span(take.started_at - take.queued_at)}`;
  if (take.state === "running") return `${waited}, worker ${take.worker}`;
  const size = `${take.format.toUpperCase()} ${Math.round(take.bytes / 1024)} KiB`;
  return [`${size} in ${span(take.finished_at - take.started_at)}`, waited, `worker ${take.worker}`, take.note]
    .filter(Boolean).join(", ");
}

const span = (seconds) => (seconds < 1 ? `${Math.max(0, Math.round(seconds * 1000))} ms` : `${seconds.toFixed(1)} s`);
const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString();

function say(text) {
  find("#say").textContent = text;
}
