// Which ways of making pictures are not set up here: one quiet line each, with what to do about it; and files that cannot be used.

const BACKEND_NAMES = { comfyui: 'ComfyUI', diffusers: 'Diffusers' };

// A command is set as code, whether it stands between backticks or after "Run:".
const withCode = (text) => {
  const ran = text.match(/^(.*Run: )([^`]+)$/s);
  if (ran) return [ran[1], h('code', {}, ran[2].replace(/\.$/, ''))];
  return text.split('`').map((part, i) => (i % 2 ? h('code', {}, part) : part));
};

views.backends = (element) => {
  const line = (backend) => {
    const name = BACKEND_NAMES[backend.name] || backend.name;
    const lead = backend.reason.includes(name) ? '' : `${name}: `;
    return h('p', { class: 'isg-muted', 'data-backend': backend.name }, lead, withCode(`${backend.reason} ${backend.hint}`.trim()));
  };
  const draw = async () => {
    const { backends } = await get('info');
    const image = backends.filter((backend) => backend.kind === 'image');
    const lines = [
      ...image.filter((backend) => !backend.available).map(line),
      ...image.flatMap((backend) => backend.notes.map((text) => h('p', { class: 'isg-muted', 'data-note': backend.name }, text))),
    ];
    element.replaceChildren(h('div', { class: 'isg-backends', id: 'image-backends', hidden: lines.length === 0 }, lines));
  };
  bus.on('connection', (up) => up && draw().catch(complain));
  draw().catch(complain);
};
