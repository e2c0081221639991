// Starts everything once the page is there: views find their elements, tabs follow the address, keys work.

const TABS = ['characters', 'training', 'image', 'models', 'video', 'system'];
const tabButtons = () => [...document.querySelectorAll('#tabs button[role=tab]')];
const showTab = (name) => document.querySelector(`#tab-${name}-button`)?.click();

// What Gradio's forms are asked to do: choose a character, a LoRA, go on from one, or take up an earlier picture, its settings or seed.
const asking = {
  train: 'select',
  use: 'apply',
  again: 'edit',
  changed: 'input',
  start: 'option_select',
  enlarge: 'expand',
  seed: 'copy',
  goOn: 'like',
};
let bridge = null;
const ask = (what, value) => bridge?.(asking[what], { index: 0, value });

views.bridge = (_element, trigger) => {
  bridge = trigger;
  roomBanner();
};

const mount = ({ view, element, trigger, props, watch }) => {
  if (element.dataset.view === view) return;
  element.dataset.view = view;
  views[view](element, trigger, props, watch);
};

const tellAddress = () => {
  const named = tabButtons().find((button) => button.getAttribute('aria-selected') === 'true')?.id;
  const name = TABS.find((tab) => `tab-${tab}-button` === named);
  if (name && parameters().get('tab') !== name) remember({ tab: name });
};

const keys = (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === 'Enter') {
    const field = event.target.closest?.('#tab-image');
    if (field) document.querySelector('#image-generate')?.click();
  }
  if (event.altKey && /^[1-6]$/.test(event.key)) {
    showTab(TABS[event.key - 1]);
    event.preventDefault();
  }
  if (event.key === 'Escape' && !document.querySelector('dialog[open]')) closeDrawer();
};

document.documentElement.lang = 'en';
document.addEventListener('keydown', keys);
// Tabs change by a click, by a key, and by what Gradio's handlers answer: their own attribute tells of all three.
new MutationObserver(tellAddress).observe(document.body, { subtree: true, attributeFilter: ['aria-selected'] });
document.addEventListener('visibilitychange', () => document.hidden || jobs.refresh().catch(complain));
jobs.onEnd((job) => {
  if (job.type !== 'training' || job.status !== 'completed') return;
  ask('changed', ''); // every tab hears the end of a job by itself
  bus.tellHere('library');
});

window.isengard = { jobsChanged: () => bus.tell('resync'), prompted, started };
const early = window.isengardViews || [];
window.isengardViews = { push: mount };
early.forEach(mount);
jobs.refresh().catch(complain); // a tab that does not hold the events' lock is not told of a connection
bus.start();
