/**
 * How loud a microphone is.
 */
const SAMPLES = 2048;
const SILENCE = 1e-9;

/**
 * Return the loudness of samples, 0 to 1 on a scale that speech fills.
 *
 * @param {Float32Array} samples
 */
export function loudness(samples) {
  const power = samples.reduce((sum, one) => sum + one * one, 0) / samples.length;
  return Math.min(1, Math.max(0, 1 + Math.log10(power + SILENCE) / 5));
}

export class LevelMeter {
  /** @param {MediaStream} stream */
  constructor(stream) {
    this.sound = new AudioContext();
    this.analyser = this.sound.createAnalyser();
    this.analyser.fftSize = SAMPLES;
    this.samples = new Float32Array(SAMPLES);
    this.sound.createMediaStreamSource(stream).connect(this.analyser);
  }

  level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    return loudness(this.samples);
  }

  close() {
    this.sound.close();
  }
}
