// A training's loss over its steps: every point thin, their running mean strong.

const HIGH = 220;
const LEFT = 46;
const LOW = 26;

const smooth = (values) => {
  let held = values[0];
  return values.map((value) => (held += (value - held) * 0.15));
};

// Drawn as wide as its place, so that its words are as large as all others.
const lossCurve = (points, place) => {
  const wide = Math.max(260, (place || 680) - 40);
  const steps = points.map((point) => point.step);
  const losses = points.map((point) => point.loss);
  const [last, top] = [Math.max(...steps, 1), Math.max(...losses) * 1.05 || 1];
  const x = (step) => LEFT + ((wide - LEFT - 8) * step) / last;
  const y = (loss) => 8 + (HIGH - LOW - 8) * (1 - loss / top);
  const line = (values, name) =>
    svg('polyline', { class: name, points: values.map((value, i) => `${x(steps[i]).toFixed(1)},${y(value).toFixed(1)}`).join(' ') });
  const label = (text, at, anchor) => {
    const node = svg('text', { x: at[0], y: at[1], 'text-anchor': anchor });
    node.textContent = text;
    return node;
  };
  const rules = [0, 0.25, 0.5, 0.75, 1].map((share) => svg('line', { x1: LEFT, x2: wide - 8, y1: y(top * share), y2: y(top * share), class: 'rule' }));
  const scale = [0, 0.5, 1].map((share) => label((top * share).toFixed(top < 0.1 ? 3 : 2), [LEFT - 6, y(top * share) + 4], 'end'));
  return svg(
    'svg',
    { viewBox: `0 0 ${wide} ${HIGH}`, class: 'isg-curve', role: 'img', 'aria-label': `Loss after ${last} steps: ${losses.at(-1).toFixed(4)}` },
    ...rules,
    ...scale,
    label('Step 0', [LEFT, HIGH - 6], 'start'),
    label(`${last}`, [wide - 8, HIGH - 6], 'end'),
    line(losses, 'raw'),
    line(smooth(losses), 'mean'),
  );
};
