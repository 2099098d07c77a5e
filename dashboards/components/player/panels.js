/* What stands beside the transcript: what to review first, notes, versions. Each is fetched when it is looked at. */
class Panels {
  constructor(player) {
    this.player = player;
    this.text = player.text;

    player.badge("review", player.data.findings.length);
    player.badge("notes", player.data.notes);
  }

  sheet(name) {
    return this.player.find(`[data-sheet=${name}]`);
  }

  show(name) {
    if (name === "review") this.#review();
    if (name === "notes") this.#notes();
    if (name === "versions") this.#versions();
  }

  loaded() {
    this.player.badge("review", this.player.data.findings.length);
    this.refresh();
  }

  /* Something has changed on the server: draw what is open anew, unless somebody is writing in it. */
  refresh() {
    this.player.badge("notes", this.player.data.notes);
    const { sheet } = this.player;
    if (["review", "versions"].includes(sheet) || (sheet === "notes" && !this.writing)) this.show(sheet);
  }

  #empty(name, words) {
    this.sheet(name).replaceChildren(make("p", { className: "empty muted" }, words));
  }

  #moment(at_s, words) {
    const button = make("button", { type: "button", className: "moment number", onclick: () => this.#go(at_s) }, clock(at_s));
    button.setAttribute("aria-label", fill(this.text.play_from, { time: clock(at_s) }));
    return words ? [button, words] : button;
  }

  #go(at_s) {
    this.player.script.reach(at_s);
  }

  #review() {
    const { data, script } = this.player;
    const heard = script.heard ?? {};
    const parts = [];
    if (data.findings.length) {
      parts.push(make("p", { className: "small muted" }, this.text.review_lead));
      parts.push(make("ol", { className: "rows" }, ...data.findings.map((one) => {
        const row = make("li", { className: "row" }, this.#moment(one.start_s), make("span", {}, one.words));
        row.classList.toggle("done", this.#looksDone(one));
        return row;
      })));
    } else parts.push(make("p", { className: "empty muted" }, this.text.nothing_found));
    if (heard.reheard?.length) parts.push(this.#details(fill(heard.reheard.length === 1 ? this.text.reheard_one : this.text.reheard, { all: heard.reheard.length }), heard.reheard.map((one) => this.#rehearing(one))));
    if (heard.seams?.length) parts.push(this.#details(fill(heard.seams.length === 1 ? this.text.seams_one : this.text.seams, { all: heard.seams.length }), heard.seams.map((one) => this.#seam(one))));
    this.sheet("review").replaceChildren(...parts);
  }

  /* A finding is done with when a person has written every word in its place. */
  #looksDone(finding) {
    const words = this.player.script.items.filter((item) => item.start < finding.end_s && item.end > finding.start_s).flatMap((item) => item.words);
    return words.length > 0 && words.every((word) => word.p === 1);
  }

  #details(title, rows) {
    return make("details", { className: "more" }, make("summary", {}, title), make("ol", { className: "rows" }, ...rows));
  }

  #rehearing(one) {
    const [kept, other] = one.kept === "second" ? [one.second_text, one.first_text] : [one.first_text, one.second_text];
    return make("li", { className: "row" }, this.#moment(one.start_s), make("span", {},
      make("span", { className: "small muted" }, `${this.text.kept[one.kept] ?? one.kept}: ${one.doubts.join(", ")}`),
      make("ins", {}, kept.trim() || this.text.silence), make("del", {}, other.trim() || this.text.silence)));
  }

  #seam(one) {
    const how = one.overlap_s > 0 ? fill(this.text.seam_overlap, { all: one.agreed }) : fill(this.text.seam_silence, { seconds: one.silence_s.toFixed(1) });
    const sides = [one.before, one.after].map((side) => side?.trim() || this.text.silence).join(" | ");
    return make("li", { className: "row" }, this.#moment(one.at_s), make("span", {}, sides, make("span", { className: "small muted" }, [how, one.doubt].filter(Boolean).join(" · "))));
  }

  async #notes() {
    let found;
    try {
      found = await this.player.ask("/notes");
    } catch (error) {
      return this.#empty("notes", error.message);
    }
    this.player.badge("notes", found.length);
    const list = make("ol", { className: "rows" }, ...found.map((note) => this.#note(note)));
    const parts = found.length ? [list] : [make("p", { className: "empty muted" }, this.text.no_notes)];
    if (this.player.data.may_edit) parts.push(this.#noteForm());
    this.writing = false;
    this.sheet("notes").replaceChildren(...parts);
  }

  #note(note) {
    const about = `${note.made_by} · ${when(note.changed_at ?? note.made_at)}`;
    const row = make("li", { className: "row" }, note.at_s === null ? make("span", { className: "moment muted" }, "—") : this.#moment(note.at_s),
      make("span", {}, make("span", { className: "said" }, note.text), make("span", { className: "small muted" }, about)));
    if (!this.player.data.may_edit) return row;
    const change = make("button", { type: "button", className: "button quiet small", onclick: () => row.replaceWith(this.#noteForm(note)) }, this.text.change);
    const remove = make("button", { type: "button", className: "button quiet small", onclick: () => this.#sure(remove, () => this.#send(`/notes/${note.id}`, "DELETE")) }, this.text.remove);
    row.append(make("span", { className: "acts" }, change, remove));
    return row;
  }

  #noteForm(note = null) {
    const area = make("textarea", { rows: 3, value: note?.text ?? "", placeholder: this.text.note });
    area.setAttribute("aria-label", this.text.note);
    area.oninput = () => (this.writing = area.value.trim() !== "");
    const moment = make("input", { type: "checkbox", checked: note ? note.at_s !== null : true });
    const at = () => note?.at_s ?? this.player.video.currentTime;
    const label = make("span", { className: "number" });
    const tell = () => (label.textContent = fill(this.text.note_at, { time: clock(at()) }));
    tell();
    this.player.on(this.player.video, "timeupdate", tell);
    const save = make("button", { type: "submit", className: "button small primary" }, note ? this.text.save.save : this.text.add_note);
    const form = make("form", { className: "noting" }, area, make("label", { className: "small" }, moment, label), save);
    form.onsubmit = (event) => {
      event.preventDefault();
      if (!area.value.trim()) return area.focus();
      const body = { text: area.value, at_s: moment.checked ? Math.round(at() * 10) / 10 : null };
      this.#send(note ? `/notes/${note.id}` : "/notes", note ? "PUT" : "POST", body);
    };
    form.onkeydown = (event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && form.requestSubmit();
    return form;
  }

  async #send(path, method, body) {
    try {
      await this.player.ask(path, { method, body });
      this.writing = false;
      await this.#notes();
    } catch (error) {
      this.player.notice(error.message, [[this.text.close, () => this.player.notice(null)]], "warn");
    }
  }

  /* Ask by the button itself: a second click within four seconds means it. */
  #sure(button, act) {
    if (button.dataset.asked) return act();
    const words = button.textContent;
    button.dataset.asked = "1";
    button.textContent = this.text.sure_of_it;
    setTimeout(() => {
      delete button.dataset.asked;
      button.textContent = words;
    }, 4000);
  }

  async #versions() {
    let found;
    try {
      found = await this.player.ask("/versions");
    } catch (error) {
      return this.#empty("versions", error.message);
    }
    const [current] = found;
    const rows = found.map((version) => this.#version(version, current));
    const lead = make("p", { className: "small muted" }, found.length > 1 ? this.text.versions_lead : this.text.one_version);
    this.sheet("versions").replaceChildren(lead, make("ol", { className: "rows" }, ...rows));
  }

  #version(version, current) {
    const { text } = this;
    const who = version.made_by === "engine" ? text.engine : version.made_by;
    const about = [who, when(version.made_at), version.note, version.changed ? fill(version.changed === 1 ? text.changed_one : text.changed_all, { all: version.changed }) : ""];
    const row = make("li", { className: "row version" }, make("b", { className: "moment number" }, String(version.version)),
      make("span", {}, ...(version === current ? [make("span", { className: "pill completed" }, text.current), " "] : []), about.filter(Boolean).join(" · ")));
    const acts = make("span", { className: "acts" });
    if (version.version > 1) {
      const see = make("button", { type: "button", className: "button quiet small", onclick: () => this.#changes(row, version, see) }, text.see_changes);
      see.setAttribute("aria-expanded", false);
      acts.append(see);
    }
    if (version !== current && this.player.data.may_edit) {
      const restore = make("button", { type: "button", className: "button quiet small", onclick: () => this.#sure(restore, () => this.#restore(version, current)) }, text.restore);
      acts.append(restore);
    }
    row.append(acts);
    return row;
  }

  async #changes(row, version, button) {
    const there = row.querySelector(".changes");
    button.setAttribute("aria-expanded", !there);
    if (there) return there.remove();
    try {
      const found = await this.player.ask(`/versions/${version.version}/changes`);
      const rows = found.map((one) => make("li", { className: "row" }, this.#moment(one.start_s), make("span", {}, ...compared(one.before.join(" "), one.after.join(" ")))));
      row.append(make("ol", { className: "changes rows" }, ...rows));
    } catch (error) {
      row.append(make("p", { className: "changes small" }, error.message));
    }
  }

  async #restore(version, current) {
    if (this.player.editor.dirty) return this.player.notice(this.text.save_first, [[this.text.close, () => this.player.notice(null)]], "warn");
    try {
      await this.player.ask(`/versions/${version.version}/restore`, { method: "POST", body: { version: current.version } });
      await this.player.script.load();
      this.player.notice(fill(this.text.restored, { version: version.version }), [[this.text.close, () => this.player.notice(null)]], "good");
    } catch (error) {
      this.player.notice(error.message, [], "warn");
      this.#versions();
    }
  }
}

function when(instant) {
  return new Date(instant).toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

/* Two texts as one, with what was taken out and what was put in. */
function compared(before, after) {
  const [old, now] = [before.split(" ").filter(Boolean), after.split(" ").filter(Boolean)];
  if (old.length * now.length > 250000) return [make("del", {}, before), " ", make("ins", {}, after)];
  const table = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i--) for (let j = now.length - 1; j >= 0; j--) table[i][j] = old[i] === now[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
  const parts = [];
  const put = (tag, word) => {
    const last = parts.at(-1);
    if (last?.tag === tag) last.words.push(word);
    else parts.push({ tag, words: [word] });
  };
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) put("span", now[j++], i++);
    else if (i < old.length && (j >= now.length || table[i + 1][j] >= table[i][j + 1])) put("del", old[i++]);
    else put("ins", now[j++]);
  }
  return parts.flatMap(({ tag, words }) => [make(tag, {}, words.join(" ")), " "]);
}
