/** Files to play with, so that a visitor needs none at hand. Each picture differs: bots recognise one sent twice. */

const SIZE = { width: 960, height: 640 };
const VOICE_S = 4;

/** Return a File with a drawn landscape. */
export async function samplePicture() {
  const canvas = new OffscreenCanvas(SIZE.width, SIZE.height);
  drawLandscape(canvas.getContext("2d"), Math.random() * 360);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
  return new File([blob], "sample.jpg", { type: "image/jpeg" });
}

function drawLandscape(paint, hue) {
  const { width, height } = SIZE;
  const sky = paint.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, `hsl(${hue} 70% 45%)`);
  sky.addColorStop(1, `hsl(${hue + 50} 85% 78%)`);
  paint.fillStyle = sky;
  paint.fillRect(0, 0, width, height);
  paint.fillStyle = `hsl(${hue + 60} 100% 92%)`;
  paint.beginPath();
  paint.arc(width * (0.2 + Math.random() * 0.6), height * 0.35, 60, 0, Math.PI * 2);
  paint.fill();
  for (const layer of [0, 1, 2]) drawHills(paint, hue, layer);
}

function drawHills(paint, hue, layer) {
  const { width, height } = SIZE;
  const base = height * (0.58 + layer * 0.13);
  const phase = Math.random() * 6;
  paint.fillStyle = `hsl(${hue + 20} 45% ${42 - layer * 12}%)`;
  paint.beginPath();
  paint.moveTo(0, height);
  for (let x = 0; x <= width; x += 8) {
    paint.lineTo(x, base + Math.sin(x / (90 + layer * 30) + phase) * 34 + Math.sin(x / 37 + phase * 2) * 10);
  }
  paint.lineTo(width, height);
  paint.fill();
}

/** Return {file, seconds}: a short spoken sample in Ogg Opus, as Telegram records it. */
export async function sampleVoice() {
  const response = await fetch("/page/voice.ogg");
  const file = new File([await response.blob()], "voice.ogg", { type: "audio/ogg" });
  return { file, seconds: VOICE_S };
}
