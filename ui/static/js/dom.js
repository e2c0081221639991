// Building blocks of every view. Text from people only ever becomes a text node or an attribute, never markup.

const views = {}; // by name: what draws into the element of that name

const h = (tag, props = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (key === 'class') node.className = value;
    else if (key === 'value') node.value = value;
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
};

const svg = (tag, props = {}, ...children) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const ICONS = {
  plus: 'M12 5v14M5 12h14',
  back: 'M15 5l-7 7 7 7',
  next: 'M9 5l7 7-7 7',
  close: 'M6 6l12 12M18 6L6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  trash: 'M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12M10 11v5M14 11v5',
  pen: 'M5 19l1-4L16 5l3 3L9 18l-4 1',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  upload: 'M12 17V5M7 9l5-5 5 5M5 20h14',
  spark: 'M12 4l1.8 5.2L19 11l-5.2 1.8L12 18l-1.8-5.2L5 11l5.2-1.8z',
  jobs: 'M4 7h16M4 12h16M4 17h10',
  undo: 'M8 6l-4 4 4 4M4 10h10a5 5 0 0 1 0 10h-4',
  crop: 'M7 3v14h14M3 7h14v14',
  lock: 'M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3',
  unlock: 'M6 11h12v9H6zM9 11V8a3 3 0 0 1 5.6-1.5',
  again: 'M5 12a7 7 0 1 1 2 5M5 19v-4h4',
  stop: 'M7 7h10v10H7z',
  train: 'M4 18l5-6 4 3 7-9M15 6h5v5',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M5 20c1-4 4-6 7-6s6 2 7 6',
  larger: 'M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7',
  grid: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  seed: 'M5 5h14v14H5zM9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01',
  list: 'M9 6h11M9 12h11M9 18h11M4 6h.01M4 12h.01M4 18h.01',
  picture: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01',
};

const icon = (name) =>
  svg(
    'svg',
    { viewBox: '0 0 24 24', class: 'isg-icon', 'aria-hidden': 'true', focusable: 'false' },
    svg('path', { d: ICONS[name] }),
  );

// A button that is busy while its work lasts and says so when the work is refused.
const button = (label, work, { look = '', iconName, id, name, small, title } = {}) => {
  const node = h(
    'button',
    { type: 'button', class: `isg-btn ${look} ${small ? 'small' : ''}`.trim(), id, title, 'aria-label': name },
    iconName && icon(iconName),
    label && h('span', {}, label),
  );
  node.addEventListener('click', async (event) => {
    if (node.getAttribute('aria-busy') === 'true') return;
    node.setAttribute('aria-busy', 'true');
    try {
      await work(event);
    } catch (error) {
      complain(error);
    } finally {
      node.removeAttribute('aria-busy');
    }
  });
  return node;
};

const pill = (text, look = '') => h('span', { class: `isg-pill ${look}`.trim() }, text);

const emptyState = ({ id, iconName, title, text, actions = [] }) =>
  h(
    'div',
    { class: 'isg-empty', id },
    h('div', { class: 'isg-empty-mark' }, icon(iconName)),
    h('h3', {}, title),
    h('p', {}, text),
    actions.length > 0 && h('div', { class: 'isg-actions' }, actions),
  );

const count = (number, one, many) => `${number.toLocaleString('en-GB')} ${number === 1 ? one : many}`;

const duration = (seconds) => {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
};

const size = (bytes) => (bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`);

const when = (iso) =>
  new Date(iso).toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

// Gradio gives the style sheet's rules for narrow screens to what is inside this element only.
const root = () => document.querySelector('.gradio-container .contain') || document.body;

const toast = (title, text, look = '', action = null) => {
  let stack = document.getElementById('isg-toasts');
  if (!stack) {
    stack = h('div', { id: 'isg-toasts', class: 'isg-toasts' });
    root().append(stack);
  }
  const close = () => node.remove();
  const node = h(
    'div',
    { class: `isg-toast ${look}`.trim(), role: look === 'bad' ? 'alert' : 'status' },
    h('div', {}, h('strong', {}, title), text && h('p', {}, text), action),
    h('button', { type: 'button', class: 'isg-bare', 'aria-label': 'Close this message', onclick: close }, icon('close')),
  );
  stack.append(node);
  setTimeout(close, look === 'bad' || action ? 15000 : 5000);
  return node;
};

const complain = (error) => {
  if (error.name === 'AbortError') return;
  toast(error.message, error.hint || '', 'bad');
};
