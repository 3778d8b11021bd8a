"use strict";
// Asking a run and showing its answers. Text from the data is only ever set as text, never as HTML.
(() => {
  const at = (id) => document.getElementById(id);
  const make = (tag, words, name) => {
    const node = document.createElement(tag);
    if (words !== undefined) node.textContent = words;
    if (name) node.className = name;
    return node;
  };
  let run = null;
  let seed = Math.floor(Math.random() * 1e6);
  let turn = 0; // answers to an older question than the last are dropped

  const chosen = () => document.querySelector("#views input:checked").value;
  const viewOf = (name) => run.views.find((view) => view.name === name);
  const count = (n) => n.toLocaleString("en");

  async function fetched(address, options) {
    let answer;
    try {
      answer = await fetch(address, options);
    } catch {
      throw {wanted: "an answer", got: "none: the server has ended or does not answer", do: "start `infomax explore` again and reload this page"};
    }
    const said = await answer.json().catch(() => ({wanted: "an answer", got: `status ${answer.status}`, do: "look at the terminal of `infomax explore`"}));
    if (!answer.ok) throw said;
    return said;
  }

  function failed(error) {
    const box = at("error");
    box.replaceChildren();
    const told = error && error.wanted ? [["Wanted", error.wanted], ["Got", error.got], ["Do", error.do]] : [["Failed", String(error)]];
    for (const [what, words] of told) {
      const line = make("p");
      line.append(make("b", `${what}: `), words);
      box.append(line);
    }
    box.hidden = false;
    at("status").textContent = "";
  }

  const SIGNS = {picture: "picture", sound: "sound", text: "text", vector: "numbers", series: "series"};

  function choose(name) {
    for (const input of document.querySelectorAll("#views input")) input.checked = input.value === name;
    const view = viewOf(name);
    at("by-text").hidden = view.kind !== "text";
    at("by-file").hidden = !["picture", "sound"].includes(view.kind);
    at("by-context").hidden = view.gives.length > 0;
    at("file-label").textContent = `Drop or choose a ${view.kind}: ${view.gives.join(", ")}, at most ${run.max_upload / 1e6} MB`;
    at("file").accept = view.kind === "picture" ? ".png,.jpg,.jpeg,.webp,.bmp" : ".wav,.flac,.ogg,.opus,.mp3";
    at("file").value = "";
  }

  function card(item, group, from) {
    const box = make("article", undefined, item.own ? "card own" : "card");
    const said = item.row === undefined ? "what was given" : `row ${item.row}`;
    for (const part of item.parts) {
      if (part.kind === "picture" && part.src) {
        const img = make("img");
        Object.assign(img, {src: part.src, alt: `${part.signal} of ${said}`, loading: "lazy"});
        box.append(img);
      } else if (part.kind === "sound" && part.src) {
        const audio = make("audio");
        Object.assign(audio, {src: part.src, controls: true, preload: "none"});
        audio.setAttribute("aria-label", `${part.signal} of ${said}`);
        box.append(audio);
      } else box.append(make("p", part.text));
    }
    const foot = make("div", undefined, "foot");
    if (item.own) foot.append(make("span", "✓ the query's own", "own-mark"));
    if (item.lacks && item.lacks.length) foot.append(make("small", `no ${item.lacks.join(", no ")}`));
    if (item.row !== undefined) foot.append(make("small", (item.label ? `${item.label} · ` : "") + said));
    if (item.score !== undefined) foot.append(make("span", `score ${item.score.toFixed(3).replace("-", "−")}`, "score"));
    if (group !== null && item.row !== undefined) {
      const go = () => askRow(item, group);
      const button = make("button", "Search from this");
      button.type = "button";
      button.setAttribute("aria-label", `Search from row ${item.row}`);
      button.addEventListener("click", (event) => { event.stopPropagation(); go(); });
      foot.append(button);
      box.classList.add("can");
      box.addEventListener("click", (event) => { if (event.target.tagName !== "AUDIO") go(); });
    }
    box.append(foot);
    return box;
  }

  function askRow(item, group) {
    let view = chosen();
    let note = "";
    if (!item.views.includes(view)) {
      note = `Row ${item.row} lacks ${view}, so it is asked by `;
      view = item.views.includes(group) ? group : item.views[0];
      if (view === undefined) return failed({wanted: "a context to search from", got: `row ${item.row}, which has no view to ask by`, do: "take another"});
      note += `${view}. `;
      choose(view);
    }
    ask(`api/ask?view=${encodeURIComponent(view)}&row=${item.row}`, {}, note, `view=${encodeURIComponent(view)}&row=${item.row}`);
  }

  async function ask(address, options, note, hash) {
    const mine = ++turn;
    at("error").hidden = true;
    at("status").textContent = "Searching …";
    document.querySelector("main").setAttribute("aria-busy", "true");
    try {
      const found = await fetched(address, options);
      if (mine !== turn) return;
      shown(found, note);
      history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
    } catch (error) {
      if (mine === turn) failed(error);
    } finally {
      if (mine === turn) document.querySelector("main").removeAttribute("aria-busy");
    }
  }

  function shown(found, note) {
    at("query").hidden = false;
    at("h-query").textContent = found.query.row === undefined ? `Asked by ${found.view}` : `Row ${found.query.row}, asked by ${found.view}`;
    at("notes").textContent = note + found.notes.map((words) => words[0].toUpperCase() + words.slice(1) + ".").join(" ") + (found.query.row === undefined ? " This is what the model was given." : "");
    at("asked").replaceChildren(card(found.query, null));
    at("answers").replaceChildren(...found.answers.map((answer, index) => {
      const section = make("section");
      const title = make("h2", answer.view === found.view ? `Alike by ${answer.view}` : `${found.view} → ${answer.view}`);
      title.id = `h-answer-${index}`;
      section.setAttribute("aria-labelledby", title.id);
      const how = answer.by === "cosine" ? "the cosine" : `the ${answer.by} that was trained between the two`;
      let words = `The nearest of ${count(answer.among)} contexts, by ${how}.`;
      if (answer.own_rank !== null && answer.view !== found.view) words += ` The query's own context is number ${count(answer.own_rank)}.`;
      else if (found.query.row !== undefined && answer.own_rank === null) words += " The query's own context lacks this view.";
      section.append(title, make("p", words, "lead"));
      if (!answer.trained) section.append(make("p", "No edge of the recipe compares these two views: a cosine between them may mean nothing.", "banner warn"));
      const cards = make("div", undefined, "cards");
      cards.append(...answer.found.map((item) => card(item, answer.view)));
      section.append(cards);
      return section;
    }));
    at("status").textContent = `Answers by ${found.answers.length} view${found.answers.length === 1 ? "" : "s"}.`;
    at("query").focus({preventScroll: true});
    at("query").scrollIntoView();
  }

  async function sample() {
    const view = chosen();
    at("sampled").setAttribute("aria-busy", "true");
    try {
      const found = await fetched(`api/sample?view=${encodeURIComponent(view)}&seed=${seed}`);
      if (view === chosen()) at("sampled").replaceChildren(...found.items.map((item) => card(item, view)));
    } catch (error) {
      failed(error);
    }
    at("sampled").removeAttribute("aria-busy");
  }

  function send(body) {
    const view = chosen();
    const size = body.size === undefined ? new Blob([body]).size : body.size;
    if (size > run.max_upload) return failed({wanted: `at most ${run.max_upload / 1e6} MB`, got: `${(size / 1e6).toFixed(1)} MB`, do: "choose a smaller file, or start `infomax explore` with a larger --max-upload"});
    ask(`api/ask?view=${encodeURIComponent(view)}`, {method: "POST", body, headers: {"Content-Type": "application/octet-stream"}}, "", "");
  }

  at("by-text").addEventListener("submit", (event) => { event.preventDefault(); send(at("sentence").value); });
  at("file").addEventListener("change", () => { if (at("file").files.length) send(at("file").files[0]); });
  at("again").addEventListener("click", () => { seed += 1; sample(); });
  // a file dropped beside the box must not replace the page
  addEventListener("dragover", (event) => { event.preventDefault(); at("by-file").classList.add("over"); });
  addEventListener("dragleave", () => at("by-file").classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    at("by-file").classList.remove("over");
    const file = event.dataTransfer.files[0];
    if (!file) return;
    if (at("by-file").hidden) failed({wanted: "a view of a picture or a sound to ask by", got: `a file, and the view ${chosen()}`, do: "choose such a view first, then drop the file"});
    else send(file);
  });

  async function start() {
    try {
      run = await fetched("api/run");
    } catch (error) {
      at("name").textContent = "The run cannot be shown";
      return failed(error);
    }
    document.title = `${run.name} · infomax explore`;
    at("name").textContent = run.name;
    at("paper").textContent = run.paper;
    at("facts").append(make("span", `${count(run.contexts)} held-out contexts`), make("span", run.data));
    for (const view of run.views) {
      const label = make("label");
      const input = make("input");
      Object.assign(input, {type: "radio", name: "view", value: view.name});
      input.addEventListener("change", () => { choose(view.name); at("error").hidden = true; sample(); });
      label.append(input, view.name, make("small", `${SIGNS[view.kind]} · ${count(view.contexts)} have it`));
      at("views").append(label);
    }
    const told = new URLSearchParams(location.hash.slice(1));
    choose(viewOf(told.get("view")) ? told.get("view") : run.views[0].name);
    sample();
    const row = told.get("row");
    if (row !== null) ask(`api/ask?view=${encodeURIComponent(chosen())}&row=${encodeURIComponent(row)}`, {}, "", location.hash.slice(1));
  }
  start();
})();
