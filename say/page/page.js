"use strict";
// Speaks the text with POST /api/speak, then plays it, highlights the word that is heard and draws the spectrogram.

const find = (id) => document.getElementById(id);
const BANDS = 80;
const SECONDS_SHOWN = 4;
const STEPS = {tempo: [0.5, 2], sentence_pause: [0, 3], paragraph_pause: [0, 5], pitch_shift: [-12, 12],
               intonation: [0, 3], question_rise: [0, 12], denoising: [0, 20], dereverberation: [0, 1]};  // sliders
let voice = null;   // what /api/voice tells
let speech = null;  // what was spoken last: frames, phonemes, words, seconds
let urls = [];      // of the files to download

const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let place = 0;
  for (const part of parts) { whole.set(part, place); place += part.length; }
  return whole;
}

function wavHeader(nBytes, rate) {
  const header = new DataView(new ArrayBuffer(44));
  const text = (place, letters) => [...letters].forEach((letter, i) => header.setUint8(place + i, letter.charCodeAt(0)));
  text(0, "RIFF"); header.setUint32(4, 36 + nBytes, true); text(8, "WAVEfmt ");
  header.setUint32(16, 16, true); header.setUint16(20, 1, true); header.setUint16(22, 1, true);
  header.setUint32(24, rate, true); header.setUint32(28, 2 * rate, true); header.setUint16(32, 2, true);
  header.setUint16(34, 16, true); text(36, "data"); header.setUint32(40, nBytes, true);
  return header;
}

// -------- Form --------

async function start() {
  find("endpoint").textContent = location.origin + "/v1";
  voice = await (await fetch("api/voice")).json();
  for (const [name, {value, lowest, highest}] of Object.entries(voice.settings)) {
    const [from, to] = STEPS[name] || [lowest, highest];
    const label = document.createElement("label"), slider = document.createElement("input");
    const shown = document.createElement("output");
    Object.assign(slider, {type: "range", name, min: from, max: to, step: 0.05, value});
    slider.dataset.usual = slider.value;
    slider.oninput = () => { shown.textContent = slider.value; };
    slider.oninput();
    label.append(name.replace("_", " "), shown, slider);
    find("settings").append(label);
  }
  find("text").oninput = count;
  count();
}

function count() {
  find("count").textContent = `${Array.from(find("text").value).length} of ${voice.characters} characters`;
}

function changedSettings() {
  const sliders = [...document.querySelectorAll("#settings input")];
  return Object.fromEntries(sliders.filter((s) => s.value !== s.dataset.usual).map((s) => [s.name, Number(s.value)]));
}

function customWords() {
  const words = {};
  for (const line of find("words").value.split("\n")) {
    const [, word, codes] = line.match(/^\s*(.+?)\s*[=\t]\s*(.+?)\s*$/) || [];
    if (word) words[word] = codes;
    else if (line.trim()) throw new Error(`write "word = CODES", not "${line.trim()}"`);
  }
  return words;
}

function tell(message, isWrong = false) {
  find("status").textContent = message;
  find("status").className = isWrong ? "wrong" : "";
}

// -------- Speaking --------

async function speak(event) {
  event.preventDefault();
  find("speak").disabled = true;
  tell("…");
  try {
    const text = find("text").value;
    const request = {text, settings: changedSettings(), custom_words: customWords()};
    const response = await fetch("api/speak", {
      method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(request),
    });
    if (!response.ok) throw new Error((await response.json()).error.message);
    show(text, await collect(response));
    tell(`${speech.seconds.toFixed(1)} s of speech`);
    find("audio").play().catch(() => {});  // a browser may want a click
  } catch (error) {
    tell(error.message, true);
  } finally {
    find("speak").disabled = false;
  }
}

async function collect(response) {
  const said = {audio: [], frames: [], phonemes: [], words: null, captions: null};
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const piece of lines.map((line) => JSON.parse(line))) {
      if (piece.words) { Object.assign(said, piece); continue; }
      said.audio.push(bytesOf(piece.audio));
      said.frames.push(bytesOf(piece.frames));
      said.phonemes.push(...piece.phonemes);
      tell(`${piece.start.toFixed(0)} s …`);
    }
  }
  if (!said.words) throw new Error("the server stopped before the end: try a shorter text");
  return {...said, audio: joined(said.audio), frames: joined(said.frames)};
}

function show(text, said) {
  speech = {...said, text, seconds: said.audio.length / 2 / voice.sampling_rate};
  const wav = new Blob([wavHeader(said.audio.length, voice.sampling_rate), said.audio], {type: "audio/wav"});
  find("audio").src = offer([wav], "wav", find("wav"));
  for (const link of [...find("downloads").querySelectorAll("a.captions")]) link.remove();
  for (const [kind, content] of Object.entries(said.captions)) {
    const link = document.createElement("a");
    Object.assign(link, {className: "captions", download: `speech.${kind}`, id: kind, textContent: `captions (${kind})`});
    offer([content], kind, link);
    find("downloads").append(link);
  }
  showText();
  find("result").hidden = false;
  draw(0);
}

function offer(parts, kind, link) {
  if (kind === "wav") { urls.forEach((url) => URL.revokeObjectURL(url)); urls = []; }
  const type = {wav: "audio/wav", json: "application/json", vtt: "text/vtt"}[kind] || "text/plain";
  const url = URL.createObjectURL(new Blob(parts, {type}));
  urls.push(url);
  link.href = url;
  return url;
}

// -------- What is heard --------

function showText() {
  const characters = Array.from(speech.text);  // as the server counts them, not in halves
  const nodes = [];
  let place = 0;
  for (const word of speech.words) {
    const [first, end, start] = word;
    if (first < place) continue;
    nodes.push(characters.slice(place, first).join(""));
    const span = document.createElement("span");
    span.textContent = characters.slice(first, end).join("");
    span.onclick = () => { find("audio").currentTime = start; };
    word.span = span;
    nodes.push(span);
    place = end;
  }
  find("spoken").replaceChildren(...nodes, characters.slice(place).join(""));
}

function follow() {
  if (!speech) return;
  const time = find("audio").currentTime;
  const word = speech.words.find(([, , start, end]) => start <= time && time < end);
  const span = word && word.span, shown = document.querySelector("#spoken span.now");
  if (shown && shown !== span) shown.classList.remove("now");
  if (span && span !== shown) {
    span.classList.add("now");
    span.scrollIntoView({block: "nearest"});
  }
  draw(time);
}

function followWhilePlaying() {
  follow();
  if (!find("audio").paused) requestAnimationFrame(followWhilePlaying);
}

// -------- The picture: four seconds around what is heard --------

function paint(pixels, place, value) {  // from 0 to 255
  pixels[place] = Math.min(255, value * 1.6);
  pixels[place + 1] = value * value / 255;
  pixels[place + 2] = Math.min(value * 3, 100 + value / 3);
  pixels[place + 3] = 255;
}

function pictureOf(firstFrame, nFrames) {
  const canvas = Object.assign(document.createElement("canvas"), {width: nFrames, height: BANDS});
  const image = canvas.getContext("2d").createImageData(nFrames, BANDS);
  for (let frame = 0; frame < nFrames; frame++) {
    for (let band = 0; band < BANDS; band++) {
      const value = speech.frames[(firstFrame + frame) * BANDS + band] || 0;
      paint(image.data, 4 * ((BANDS - 1 - band) * nFrames + frame), value);
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function firstShown(time) {
  return Math.max(0, Math.min(time - SECONDS_SHOWN / 2, speech.seconds - SECONDS_SHOWN));
}

function draw(time) {
  const canvas = find("picture"), context = canvas.getContext("2d"), from = firstShown(time);
  const top = 24, bottom = 24, height = canvas.height - top - bottom;
  const x = (seconds) => (seconds - from) / SECONDS_SHOWN * canvas.width;
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const rate = voice.sampling_rate / voice.hop, first = Math.floor(from * rate), n = Math.ceil(SECONDS_SHOWN * rate) + 1;
  context.drawImage(pictureOf(first, n), x(first / rate), top, x((first + n) / rate) - x(first / rate), height);
  context.textAlign = "center";
  context.strokeStyle = "rgba(255, 255, 255, 0.5)";
  context.fillStyle = "#fff";
  const isShown = (start, end) => end > from && start < from + SECONDS_SHOWN;
  for (const [code, start, end] of speech.phonemes.filter(([, start, end]) => isShown(start, end))) {
    context.beginPath(); context.moveTo(x(start), top); context.lineTo(x(start), canvas.height); context.stroke();
    context.font = "11px sans-serif";
    if (code !== "pau" && x(end) - x(start) > 9 * code.length - 6) context.fillText(code, x((start + end) / 2), canvas.height - 8);
  }
  const characters = Array.from(speech.text);
  context.font = "14px sans-serif";
  for (const [first, last, start, end] of speech.words.filter(([, , start, end]) => isShown(start, end))) {
    context.fillText(characters.slice(first, last).join(""), x((start + end) / 2), 17);
  }
  context.fillStyle = "#ffd75e";
  context.fillRect(x(time) - 1, 0, 2, canvas.height);
}

find("form").onsubmit = speak;
find("audio").onplay = followWhilePlaying;
find("audio").onseeked = find("audio").onended = follow;
find("picture").onclick = (event) => {
  const share = event.offsetX / find("picture").clientWidth;
  find("audio").currentTime = firstShown(find("audio").currentTime) + share * SECONDS_SHOWN;
};
start().catch((error) => tell(`the server does not answer: ${error.message}`, true));
