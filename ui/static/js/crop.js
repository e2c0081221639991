// The crop editor: a frame on the whole picture, moved and resized by pointer or by key.

const SHAPES = [
  ['', 'Any shape'],
  ['1', '1 : 1'],
  ['0.6667', '2 : 3'],
  ['0.75', '3 : 4'],
  ['1.5', '3 : 2'],
];
const LEAST = 64; // pixels a side, as the API asks
const STEP = 0.01; // of the longer edge, for an arrow key

const between = (least, value, most) => Math.min(Math.max(value, least), Math.max(least, most));

// Keeps a frame inside the picture, large enough, and of the wanted shape (width / height; 0: any).
const fitted = (frame, width, height, shape) => {
  const next = { ...frame };
  next.width = between(LEAST, next.width, width);
  next.height = between(LEAST, next.height, height);
  if (shape) {
    const edge = Math.min(next.width / shape, next.height, width / shape, height);
    next.height = Math.max(edge, LEAST, LEAST / shape);
    next.width = next.height * shape;
  }
  next.left = between(0, next.left, width - next.width);
  next.top = between(0, next.top, height - next.height);
  return next;
};

const whole = (crop) => Object.fromEntries(Object.entries(crop).map(([side, value]) => [side, Math.floor(value)]));

const cropEditor = (character, image, { proposal, done }) => {
  const path = `api/characters/${character.id}/images/${image.id}/crop`;
  const everything = { left: 0, top: 0, width: image.width, height: image.height };
  let frame = { ...(proposal || image.crop || everything) };
  let shape = 0;
  const picture = h('img', { src: pictureUrl(character, image, 'whole'), alt: image.filename, draggable: 'false' });
  const corners = ['nw', 'ne', 'sw', 'se'].map((corner) => h('i', { class: `isg-corner ${corner}`, 'data-corner': corner }));
  const box = h(
    'div',
    { class: 'isg-crop', tabindex: 0, role: 'group', 'aria-label': 'Crop frame. Arrow keys move it, Shift and arrow keys resize it.' },
    corners,
  );
  const stage = h('div', { class: 'isg-crop-stage' }, picture, box);
  const said = h('small', { role: 'status' });
  const choose = h('select', { 'aria-label': 'Shape', id: 'crop-shape' }, SHAPES.map(([value, label]) => h('option', { value }, label)));

  const draw = () => {
    frame = fitted(frame, image.width, image.height, shape);
    box.style.left = `${(frame.left / image.width) * 100}%`;
    box.style.top = `${(frame.top / image.height) * 100}%`;
    box.style.width = `${(frame.width / image.width) * 100}%`;
    box.style.height = `${(frame.height / image.height) * 100}%`;
    const { width, height } = whole(frame);
    said.textContent = `${width} × ${height} of ${image.width} × ${image.height} pixels`;
  };

  const resized = (start, corner, dx, dy) => {
    const next = { ...start };
    if (corner.includes('e')) next.width += dx;
    if (corner.includes('s')) next.height += dy;
    if (corner.includes('w')) Object.assign(next, { left: start.left + Math.min(dx, start.width - LEAST), width: start.width - dx });
    if (corner.includes('n')) Object.assign(next, { top: start.top + Math.min(dy, start.height - LEAST), height: start.height - dy });
    return next;
  };
  box.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    box.focus();
    box.setPointerCapture(event.pointerId);
    const scale = image.width / picture.clientWidth;
    const from = { x: event.clientX, y: event.clientY, frame: { ...frame }, corner: event.target.dataset.corner };
    const move = (now) => {
      const dx = (now.clientX - from.x) * scale;
      const dy = (now.clientY - from.y) * scale;
      frame = from.corner ? resized(from.frame, from.corner, dx, dy) : { ...from.frame, left: from.frame.left + dx, top: from.frame.top + dy };
      draw();
    };
    box.addEventListener('pointermove', move);
    const end = () => box.removeEventListener('pointermove', move);
    box.addEventListener('pointerup', end, { once: true });
    box.addEventListener('pointercancel', end, { once: true });
  });
  box.addEventListener('keydown', (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way) return;
    event.preventDefault();
    const step = Math.max(image.width, image.height) * STEP;
    const [dx, dy] = way.map((sign) => sign * step);
    if (event.shiftKey) Object.assign(frame, { width: frame.width + dx, height: frame.height + dy });
    else Object.assign(frame, { left: frame.left + dx, top: frame.top + dy });
    draw();
  });
  choose.addEventListener('change', () => {
    shape = Number(choose.value);
    draw();
  });
  draw();

  const save = async (area) => {
    await (area ? put(path, area) : erase(path));
    open.close();
    await done();
  };
  const all = button('Whole picture', () => save(null), { id: 'crop-whole' });
  const keep = button('Crop', () => save(whole(frame)), { look: 'primary', id: 'crop-save' });
  const cancel = button('Cancel', () => open.close());
  const open = dialog(
    `Crop ${image.filename}`,
    [stage, h('div', { class: 'isg-crop-foot' }, choose, said), h('div', { class: 'isg-actions end' }, cancel, all, keep)],
    { wide: true, id: 'crop-editor' },
  );
  box.focus();
};
