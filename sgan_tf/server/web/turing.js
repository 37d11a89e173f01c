// The visual Turing test: people mark nine images at a time, answer, and then see the truth.
// The server decides which images are real, and reveals it in reply to the answer.

const IMAGES = 9;
const ROUNDS = 10; // number of rounds after which the final result is shown
const SESSION = "sgan-turing-session"; // key in this tab's storage of a random name per person

const at = (id) => document.getElementById(id);
const grid = at("grid");
const go = at("go");
const other = at("other");
const message = at("message");

// What the page is doing: "loading", "marking", "sending", "truth" or "failed".
let state = "loading";
let trial = null;

const buttons = Array.from({ length: IMAGES }, (_, place) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "image";
  button.addEventListener("click", () => toggle(place));
  grid.append(button);
  return button;
});

// Asking the server

async function ask(path, body) {
  const sent = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  let answer, told;
  try {
    answer = await fetch(`turing/${path}`, sent);
    told = await answer.json();
  } catch {
    throw new Error("The server does not answer; is it still running?");
  }
  if (!answer.ok) {
    const error = new Error(`The server says: ${told.error}`);
    error.gone = answer.status === 404; // the trial was answered or is too old
    throw error;
  }
  return told;
}

// Private windows may refuse storage; then each page load counts as a new person.
function stored() {
  try {
    return sessionStorage.getItem(SESSION);
  } catch {
    return null;
  }
}

function store(session) {
  try {
    if (session) sessionStorage.setItem(SESSION, session);
    else sessionStorage.removeItem(SESSION);
  } catch {}
}

// What is shown

function percent(share) {
  return `${(100 * share).toFixed(1)}\u00a0%`; // does not break the line
}

function rate({ votes, error_rate: error, interval }) {
  const [low, high] = interval.map(percent);
  return `${percent(error)} of ${votes.toLocaleString("en")} images, 95\u00a0% interval ${low} to ${high}`;
}

function showYou(you) {
  const known = you.votes > 0;
  at("you").textContent = known ? `${rate(you)}.` : "No answers yet.";
  at("band").hidden = at("dot").hidden = !known;
  if (known) {
    const [low, high] = you.interval;
    at("band").style.left = `${100 * low}%`;
    at("band").style.width = `${100 * (high - low)}%`;
    at("dot").style.left = `${100 * you.error_rate}%`;
  }
  const marks = "DCGAN in the paper 15.6, SGAN in the paper 24.4, cannot tell 50";
  const own = known ? `you ${rate(you)}` : "you have not answered yet";
  at("scale").setAttribute("aria-label", `Scale of 0 to 100 percent: ${own}; ${marks}.`);
}

function showAll(all) {
  at("all").textContent = all.votes
    ? `Everybody’s error on this model: ${rate(all)}.`
    : "Nobody has answered on this model yet.";
}

function say(text, failed = false) {
  message.textContent = text;
  message.classList.toggle("error", failed);
}

function label(place, text = "") {
  buttons[place].setAttribute("aria-label", `Image ${place + 1}${text}`);
}

function toggle(place) {
  if (state !== "marking") return;
  const button = buttons[place];
  const pressed = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", pressed);
  button.querySelector(".said").textContent = pressed ? "generated" : "";
  const count = grid.querySelectorAll('[aria-pressed="true"]').length;
  say(`${count || "None"} of ${IMAGES} marked as generated.`);
}

function enter(next, action, ready = true) {
  state = next;
  go.textContent = action;
  go.setAttribute("aria-disabled", String(!ready)); // unlike `disabled`, this keeps the focus
  grid.setAttribute("aria-busy", String(next === "loading"));
  for (const button of buttons) button.setAttribute("aria-disabled", String(next !== "marking"));
}

function fill(images) {
  buttons.forEach((button, place) => {
    const picture = document.createElement(images ? "img" : "span");
    if (images) {
      picture.src = `data:image/png;base64,${images[place]}`;
      picture.alt = "";
    } else {
      picture.className = "blank";
    }
    const said = document.createElement("span");
    said.className = "said";
    button.replaceChildren(picture, said);
    button.className = "image";
    button.setAttribute("aria-pressed", "false");
    label(place);
  });
}

// The rounds

async function begin() {
  enter("loading", "Answer", false);
  other.hidden = true;
  fill(null);
  say("Nine images are being drawn …");
  try {
    const session = stored();
    const told = await ask("trials", session ? { session } : {});
    store(told.session);
    trial = told.trial;
    fill(told.images);
    showYou(told.you);
    enter("marking", "Answer");
    say("Nine new images; none is marked.");
  } catch (error) {
    enter("failed", "Try again");
    say(error.message, true);
  }
}

async function answer() {
  const marked = buttons.map((button) => button.getAttribute("aria-pressed") === "true");
  const generated = [...marked.keys()].filter((place) => marked[place]);
  enter("sending", "Answer", false);
  try {
    const { truth, you, all } = await ask(`trials/${trial}/votes`, { generated });
    const right = truth.filter((image, place) => image.real !== marked[place]).length;
    truth.forEach((image, place) => showTruth(place, image, marked[place]));
    showYou(you);
    showAll(all);
    finish(`${right} of ${IMAGES} right.`, you);
  } catch (error) {
    say(error.message, true);
    if (error.gone) enter("failed", "Next nine");
    else enter("marking", "Answer again");
  }
}

function showTruth(place, { real, class: name }, marked) {
  const kind = real ? "real" : "generated";
  const verdict = real !== marked ? "right" : "wrong";
  buttons[place].classList.add(verdict);
  const sign = verdict === "right" ? "✓" : "✗";
  buttons[place].querySelector(".said").textContent = `${kind}\n${sign} ${verdict}`;
  label(place, `: ${kind}, of class ${name}; you are ${verdict}`);
}

function finish(text, you) {
  enter("truth", "Next nine");
  const rounds = you.votes / IMAGES;
  other.hidden = rounds % ROUNDS !== 0;
  if (other.hidden) return say(`${text} What each was stands below it.`);
  const told = you.interval[1] < 0.5 ? "You can tell them apart" : "You may be guessing";
  say(`${text} ${rounds} rounds are done. ${told}: your error is ${rate(you)}. Go on if you like.`);
}

function act() {
  if (state === "marking") answer();
  else if (state === "truth" || state === "failed") begin();
}

go.addEventListener("click", act);
other.addEventListener("click", () => {
  store(null);
  go.focus();
  begin();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (/^[1-9]$/.test(event.key)) toggle(Number(event.key) - 1);
  // Enter submits the answer even if a mark has the focus; Space toggles the mark.
  if (event.key === "Enter" && !event.target.closest("a, .actions button")) {
    event.preventDefault();
    act();
  }
});

async function introduce() {
  try {
    const told = await ask("state");
    at("about").textContent = `${told.model}, version ${told.version}, against test images of ${told.dataset}`;
    showAll(told.all);
  } catch {
    // The error of the trial is shown instead.
  }
}

showYou({ votes: 0 });
introduce();
begin();
