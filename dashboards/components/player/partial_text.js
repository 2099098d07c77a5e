/*
 * The text so far of a recording that is still being heard, part by part: what has been fetched is not fetched again.
 * Of a new attempt, what the one before had further on stays until the new one has come as far.
 */
class Along {
  constructor(player) {
    this.player = player;
    this.attempt = 0;
    this.parts = 0;
    this.until_s = 0;
    this.segments = [];
    this.older = [];
    player.find(".along .pill").textContent = player.text.along;
    player.find(".text .state").textContent = player.text.along_waiting;
  }

  /* The page has looked again: there may be more. */
  async told() {
    this.#say();
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.#isBehind() && (await this.#more()));
    } catch {
      /* the next look tries again */
    } finally {
      this.busy = false;
    }
    this.#say();
  }

  #isBehind() {
    const { along } = this.player.data;
    return along && along.parts > 0 && (along.attempt !== this.attempt || along.parts > this.parts);
  }

  async #more() {
    const told = await this.player.ask(`/transcript?partial=true&after=${this.parts}`);
    if (!told.partial || !this.player.data.along) return false;
    const again = told.attempt !== this.attempt;
    if (again) {
      this.older = [...this.segments, ...this.older.filter((one) => one.start_s >= this.until_s)];
      [this.attempt, this.parts, this.segments] = [told.attempt, 0, []];
      if (told.after) return true;
    }
    if (told.after !== this.parts) return false;
    this.segments.push(...told.segments);
    [this.parts, this.until_s] = [told.parts, told.until_s];
    this.player.script.grow([...this.segments, ...this.older.filter((one) => one.start_s >= told.until_s)]);
    return true;
  }

  #say() {
    const { along } = this.player.data;
    const far = { percent: Math.floor(100 * (along?.share ?? 0)), time: clock(this.until_s) };
    this.player.find(".along").hidden = !along || !this.parts;
    this.player.find(".along .far").textContent = fill(this.player.text.along_far, far);
  }
}
