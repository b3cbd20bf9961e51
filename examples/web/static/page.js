// Takes frames from camera or file, keeps at most one of them on its way to the server, and shows what the server says.

const FPS = 10; // frames a second that are sent, where the server allows as many
const WIDTH = 640; // of the frames of a stream, pixels
const HISTORY = 20; // seconds of the chart

const $ = (id) => document.getElementById(id);
const video = $("video");
const scratch = document.createElement("canvas");

const WORDS = {
  NONE: ["", "Not started", "Camera or file?"],
  CHECKING: ["…", "Checking", "Looking at a few frames."],
  LIVE: ["✓", "Live", "A living person."],
  SPOOF: ["✕", "Attack", "A picture, a screen or a mask."],
  UNCERTAIN: ["?", "Not sure", "No verdict from what was seen."],
  NO_FACE: ["–", "No face", "Nobody is in the picture."],
};

const PROBLEMS = {
  insecure: ["The camera needs a secure page", "Browsers lend the camera to pages over HTTPS, or on this machine only.",
    "Open this page as https://, or as http://localhost on the server itself. You can still choose a picture or video."],
  unsupported: ["This browser has no camera access", "It does not offer the functions that a page needs to read a camera.",
    "Try a current Chrome, Edge, Firefox or Safari, or choose a picture or video."],
  NotAllowedError: ["The camera was refused", "This page may not use the camera.",
    "Allow it in the browser's address bar or settings and try again, or choose a picture or video."],
  NotFoundError: ["No camera was found", "This device has no camera, or it is switched off.",
    "Connect one and try again, or choose a picture or video."],
  NotReadableError: ["The camera is in use", "Another program has it, or it does not answer.",
    "Close the other program and try again, or choose a picture or video."],
  file: ["This file cannot be shown", "The browser does not know this kind of picture or video, or the file is damaged.",
    "JPEG, PNG, WebP, MP4 and WebM work in most browsers."],
  lost: ["The connection is lost", "The server does not answer, or does not serve this page's address.",
    "See whether it still runs and try again."],
};

let run = null; // what goes on now: {socket, source, ...}; null while stopped

function show(verdict, detail) {
  const [mark, word, text] = WORDS[verdict];
  if ($("card").dataset.verdict !== verdict) { // a live region speaks at every write
    $("card").dataset.verdict = verdict;
    $("verdict").textContent = word;
    $("mark").textContent = mark;
  }
  $("detail").textContent = detail ?? text;
}

function problem(kind, title, text, help) {
  stop();
  [title, text, help] = PROBLEMS[kind] ?? [title, text, help ?? ""];
  $("problem").dataset.kind = kind;
  $("problem-title").textContent = title;
  $("problem-text").textContent = text;
  $("problem-help").textContent = help;
  $("problem").hidden = false;
  $("start").hidden = true;
  show("NONE", "Nothing is being looked at.");
}

function begin(source, path) {
  stop();
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/${path}`);
  run = { socket, source, limits: null, onWay: 0, lastSent: 0, quality: 0.9, skipped: 0, points: [], answers: [], trips: [] };
  const mine = run;
  socket.onmessage = (event) => mine === run && receive(JSON.parse(event.data));
  socket.onclose = (event) => {
    if (mine !== run) return;
    if (event.code === 1009) problem("message_too_large", "The frame was too large", "The server takes smaller frames only.");
    else problem("lost");
  };
  $("stage").dataset.source = source;
  $("start").hidden = $("problem").hidden = true;
  $("stop").hidden = false;
  if (document.activeElement === $("camera")) $("stop").focus();
  $("camera").hidden = source === "camera";
  $("still").hidden = source !== "picture";
  video.hidden = source === "picture";
  show("CHECKING");
  draw();
  return run;
}

function stop() {
  if (run === null) return;
  const { socket } = run;
  run = null;
  socket.close();
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  if (video.src) URL.revokeObjectURL(video.src);
  video.srcObject = null;
  video.removeAttribute("src");
  video.load();
  $("stage").dataset.source = "none";
  $("stage").style.aspectRatio = "";
  $("start").hidden = $("camera").hidden = false;
  if (document.activeElement === $("stop")) $("camera").focus();
  $("stop").hidden = $("hint").hidden = $("reasons").hidden = true;
  for (const id of ["score", "latency", "rate", "dropped"]) $(id).textContent = "–";
  show("NONE");
  draw();
}

// ---- sources

async function useCamera() {
  if (!window.isSecureContext) return problem("insecure");
  if (!navigator.mediaDevices?.getUserMedia) return problem("unsupported");
  $("camera").disabled = true;
  let mine = null;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: false, video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
    });
    mine = begin("camera", "stream");
    stream.getVideoTracks()[0].onended = () => mine === run && problem("NotReadableError");
    video.srcObject = stream;
    await video.play();
    nextFrame(mine);
  } catch (error) {
    if (mine !== null && mine !== run) return; // something else ended it, and has said why
    problem(error.name in PROBLEMS ? error.name : "NotReadableError");
  } finally {
    $("camera").disabled = false;
  }
}

async function useFile(file) {
  if (file.type.startsWith("video/")) {
    const mine = begin("video", "stream");
    video.src = URL.createObjectURL(file);
    video.onended = () => mine === run && ($("hint").hidden = true);
    try {
      await video.play();
      nextFrame(mine);
    } catch {
      if (mine === run) problem("file");
    }
    return;
  }
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return problem("file");
  }
  begin("picture", "pictures").picture = picture; // goes out when the server has said its limits
}

// ---- frames out

function nextFrame(mine) {
  if (mine !== run) return;
  const frame = () => {
    nextFrame(mine);
    if (mine !== run || mine.limits === null || video.videoWidth === 0) return;
    const now = performance.now();
    if (now - mine.lastSent < 1000 / Math.min(FPS, mine.limits.fps) - 5) return;
    if (mine.onWay > 0) { // the answer is late: this frame is left out, not queued
      mine.skipped += 1;
      mine.lastSent += 1000 / FPS;
      return;
    }
    send(mine, video, video.videoWidth, video.videoHeight, WIDTH);
  };
  // A frame that was seen already says nothing, so this waits for a new one where the browser can tell.
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(frame);
  else setTimeout(frame, 1000 / FPS);
}

function send(mine, picture, width, height, most) {
  const scale = Math.min(1, most / Math.max(width, height));
  scratch.width = Math.round(width * scale);
  scratch.height = Math.round(height * scale);
  scratch.getContext("2d").drawImage(picture, 0, 0, scratch.width, scratch.height);
  mine.lastSent = mine.onWay = performance.now();
  scratch.toBlob((blob) => {
    if (mine !== run || mine.socket.readyState !== WebSocket.OPEN) return;
    if (blob === null || blob.size > mine.limits.message_bytes) {
      mine.onWay = 0;
      mine.quality = Math.max(0.3, mine.quality - 0.1);
      if (mine.picture && mine.quality > 0.3) send(mine, picture, width, height, most);
      return;
    }
    mine.socket.send(blob);
  }, "image/jpeg", mine.quality);
}

// ---- answers in

function receive(message) {
  if (message.type === "hello") {
    run.limits = message.limits;
    $("models").textContent = `Networks: ${message.models.join(", ")}; profile ${message.profile}.`;
    if (run.picture) {
      const { width, height } = run.picture;
      const still = $("still");
      const scale = Math.min(1, run.limits.side / Math.max(width, height));
      still.width = Math.round(width * scale);
      still.height = Math.round(height * scale);
      still.getContext("2d").drawImage(run.picture, 0, 0, still.width, still.height);
      send(run, run.picture, width, height, run.limits.side);
    }
    return;
  }
  if (message.type === "error") {
    const titles = { full: "The server is full", idle: "Stopped: no frames came", too_fast: "Too many frames" };
    return problem(message.code, titles[message.code] ?? "The server refused a frame", message.message);
  }
  const now = performance.now();
  const trip = now - run.onWay;
  run.onWay = 0;
  $("dropped").textContent = String(message.dropped.replaced + message.dropped.too_fast + run.skipped);
  if (message.type !== "result") return;

  // A face is followed from its second frame on: at the start "no face" means little.
  const early = message.verdict === "NO_FACE" && run.points.length < 3 && !run.picture;
  const verdict = early || (message.verdict === "UNCERTAIN" && !message.decided) ? "CHECKING" : message.verdict;
  show(verdict);
  const said = message.reasons.map((reason) => reason.text).join("\n");
  if ($("reasons").dataset.said !== said) {
    $("reasons").dataset.said = said;
    $("reasons").replaceChildren(...message.reasons.map((reason) => {
      const item = document.createElement("li");
      item.textContent = reason.text;
      return item;
    }));
  }
  $("reasons").hidden = message.reasons.length === 0;
  if ($("hint").textContent !== message.hint) $("hint").textContent = message.hint;
  $("hint").hidden = message.hint === "" || early;

  run.answers = [...run.answers.filter((t) => now - t < 2000), now];
  run.trips = [...run.trips, trip].slice(-9);
  const median = [...run.trips].sort((a, b) => a - b)[run.trips.length >> 1];
  $("score").textContent = message.score === null ? "–" : message.score.toFixed(2);
  $("latency").textContent = `${Math.round(median)} ms`;
  $("latency").title = `server: ${Object.entries(message.ms).map(([what, ms]) => `${what} ${ms} ms`).join(", ")}`;
  const span = now - run.answers[0];
  $("rate").textContent = span > 500 ? ((run.answers.length - 1) * 1000 / span).toFixed(1) : "–";
  run.points.push({ time: now, score: message.score, threshold: message.threshold, verdict });
  if (run.picture) $("rate").textContent = "–";
  $("stage").style.aspectRatio = `${message.picture.width} / ${message.picture.height}`;
  run.last = message;
  draw();
}

// ---- drawing

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const TONES = { LIVE: "live", SPOOF: "spoof", UNCERTAIN: "unsure", CHECKING: "accent", NO_FACE: "soft" };
// On the picture, which is neither light nor dark.
const BOX = { LIVE: "#3ddc84", SPOOF: "#ff5449", UNCERTAIN: "#ffc24b", CHECKING: "#7fb0ff" };

// A canvas's context in CSS pixels, cleared.
function sheet(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const c = canvas.getContext("2d");
  c.scale(ratio, ratio);
  return [c, width, height];
}

function draw() {
  drawBoxes();
  drawChart();
}

function drawBoxes() {
  const [c, width, height] = sheet($("overlay"));
  if (!run?.last) return;
  const { picture, faces } = run.last;
  const scale = Math.min(width / picture.width, height / picture.height);
  const left = (width - picture.width * scale) / 2;
  const top = (height - picture.height * scale) / 2;
  const verdict = $("card").dataset.verdict;
  faces.forEach(({ box: [x, y, w, h] }, i) => {
    const from = run.source === "camera" ? picture.width - x - w : x; // the picture is shown mirrored
    c.strokeStyle = i === 0 ? BOX[verdict] ?? "#fff" : "rgb(255 255 255 / .6)";
    c.lineWidth = i === 0 ? 3 : 1.5;
    c.setLineDash(i === 0 && verdict !== "CHECKING" ? [] : [8, 6]);
    c.shadowColor = "rgb(0 0 0 / .6)";
    c.shadowBlur = 4;
    c.beginPath();
    c.roundRect(left + from * scale, top + y * scale, w * scale, h * scale, 10);
    c.stroke();
  });
}

function drawChart() {
  const chart = $("chart");
  const [c, width, height] = sheet(chart);
  const [begin, end, top, bottom] = [26, width - 4, 6, height - 18];
  const now = run?.points.at(-1)?.time ?? 0;
  const points = run?.points.filter((p) => now - p.time <= HISTORY * 1000) ?? [];
  if (run) run.points = points;
  const x = (time) => end - ((now - time) / (HISTORY * 1000)) * (end - begin);
  const y = (score) => bottom - score * (bottom - top);
  c.font = "11px system-ui, sans-serif";
  c.fillStyle = colour("soft");
  c.strokeStyle = colour("line");
  for (const level of [0, 0.5, 1]) {
    c.textAlign = "right";
    c.fillText(String(level), begin - 6, y(level) + 4);
    c.beginPath();
    c.moveTo(begin, y(level));
    c.lineTo(end, y(level));
    c.stroke();
  }
  c.textAlign = "left";
  c.fillText(`${HISTORY} s ago`, begin, height - 4);
  c.textAlign = "right";
  c.fillText("now", end, height - 4);
  const last = points.at(-1);
  if (!last || last.score === null) {
    chart.setAttribute("aria-label", "No score yet");
    if (!last) return;
  } else {
    chart.setAttribute("aria-label", `Score ${last.score.toFixed(2)}; a live face has ${last.threshold.toFixed(2)} or more`);
  }
  const threshold = points.findLast((p) => p.threshold !== null)?.threshold;
  if (threshold !== undefined) {
    c.setLineDash([4, 4]);
    c.strokeStyle = c.fillStyle = colour("soft");
    c.beginPath();
    c.moveTo(begin, y(threshold));
    c.lineTo(end, y(threshold));
    c.stroke();
    c.setLineDash([]);
    c.textAlign = "left";
    c.fillText("live from here up", begin + 4, y(threshold) - 4);
  }
  c.lineWidth = 2;
  c.lineJoin = "round";
  for (let i = 1; i < points.length; i += 1) {
    const [a, b] = [points[i - 1], points[i]];
    if (a.score === null || b.score === null) continue;
    c.strokeStyle = colour(TONES[b.verdict]);
    c.beginPath();
    c.moveTo(x(a.time), y(a.score));
    c.lineTo(x(b.time), y(b.score));
    c.stroke();
  }
  if (last.score !== null) {
    c.fillStyle = colour(TONES[last.verdict]);
    c.beginPath();
    c.arc(x(last.time), y(last.score), run.picture ? 5 : 3.5, 0, 2 * Math.PI);
    c.fill();
  }
}

// ---- controls

$("camera").addEventListener("click", useCamera);
$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  $("file").value = "";
  if (file) useFile(file);
});
$("stop").addEventListener("click", stop);
// Nobody is before a page that is not seen: the camera is let go of.
document.addEventListener("visibilitychange", () => document.hidden && run?.source === "camera" && stop());
window.addEventListener("resize", draw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
if (!window.isSecureContext) problem("insecure");
draw();
