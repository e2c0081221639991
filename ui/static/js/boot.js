// Starts everything once the page is there: views find their elements, tabs follow the address, keys work.

const TABS = ['characters', 'training', 'image', 'video'];
const tabButtons = () => [...document.querySelectorAll('#tabs button[role=tab]')];
const showTab = (name) => document.querySelector(`#tab-${name}-button`)?.click();

// What Gradio's forms are asked to do: choose a character, a LoRA, or settings of an earlier picture.
const asking = { train: 'select', use: 'apply', again: 'edit', changed: 'input' };
let bridge = null;
const ask = (what, value) => bridge?.(asking[what], { index: 0, value });

views.bridge = (_element, trigger) => {
  bridge = trigger;
};

const mount = ({ view, element, trigger }) => {
  if (element.dataset.view === view) return;
  element.dataset.view = view;
  views[view](element, trigger);
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
  if (event.altKey && /^[1-4]$/.test(event.key)) {
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

window.isengard = { jobsChanged: () => bus.tell('resync') };
const early = window.isengardViews || [];
window.isengardViews = { push: mount };
early.forEach(mount);
bus.start();
