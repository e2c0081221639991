// What a training would take, before it starts: a verdict, each number with its source, and what would fit.

const VERDICTS = { fits: ['Fits', 'good'], tight: ['Tight', 'warn'], does_not_fit: ['Does not fit', 'bad'] };
const RESOURCES = { gpu_memory: 'GPU memory', memory: 'Main memory', disk: 'Disk', time: 'Time', cost: 'Cost' };
const TRUST = { measured: 'measured here', high: 'sure', medium: 'fairly sure', low: 'a rough guess', unknown: '' };

const inGigabytes = (number) => `${number < 10 ? number.toFixed(1) : Math.round(number)} GB`;

const amount = ({ resource, needed, available }) => {
  if (needed === null) return 'Not known';
  if (resource === 'time') return `About ${duration(needed)}`;
  if (resource === 'cost') return `About ${needed.toFixed(2)}`;
  return `${inGigabytes(needed)} of ${inGigabytes(available)}`;
};

const estimateRow = (estimate) => {
  const name = RESOURCES[estimate.resource];
  const share = estimate.available > 0 ? Math.min(100, (100 * estimate.needed) / estimate.available) : null;
  const fill = h('i');
  fill.style.width = `${share}%`;
  const bar =
    share !== null &&
    estimate.needed !== null &&
    h(
      'div',
      { class: `isg-bar ${estimate.verdict}`, role: 'meter', 'aria-label': name, 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': Math.round(share), 'aria-valuetext': amount(estimate) },
      fill,
    );
  const trust = TRUST[estimate.confidence];
  return h(
    'div',
    { class: 'isg-estimate', 'data-resource': estimate.resource },
    h('dt', {}, name),
    h('dd', {}, h('strong', {}, amount(estimate)), trust && h('span', {}, `, ${trust}`), bar, h('small', {}, estimate.source.replace(/\.?$/, '.'))),
  );
};

views.preflight = (element, trigger, props, watch) => {
  const apply = (changes) => {
    trigger('select', { index: 0, value: JSON.stringify(changes) });
    toast('The settings are changed.', 'Look at the plan, then start the training.');
  };
  const suggestion = (found) =>
    h(
      'div',
      { class: 'isg-suggestion' },
      h('p', {}, found.text),
      button('Use that', () => apply(found.changes), { look: 'primary', small: true, id: 'preflight-apply', name: `Use that: ${found.text}` }),
    );
  const drawn = ({ facts, report }) => {
    const known = report.estimates.filter((one) => ['time', 'cost'].includes(one.resource) && one.needed !== null);
    const short = known.map((one) => ` · ${RESOURCES[one.resource]}: ${amount(one).toLowerCase()}`);
    const details = h('details', {}, h('summary', {}, 'What it will take', short), h('dl', { class: 'isg-estimates' }, report.estimates.map(estimateRow)));
    details.open = opened ?? report.verdict !== 'fits';
    details.addEventListener('toggle', () => (opened = details.open));
    return h(
      'div',
      { class: `isg-note plan ${VERDICTS[report.verdict][1]}`, id: 'training-plan', 'data-verdict': report.verdict },
      h('header', {}, h('h3', {}, 'The plan'), pill(...VERDICTS[report.verdict])),
      h('p', { role: 'status' }, report.reason),
      report.suggestion && suggestion(report.suggestion),
      h('ul', {}, facts.map((fact) => h('li', {}, fact))),
      report.advice.map((line) => h('p', { class: 'isg-advice' }, line)),
      details,
    );
  };
  const trouble = ({ message, hint }) =>
    h('div', { class: 'isg-note warn', id: 'training-plan' }, h('strong', {}, message), h('p', {}, hint));
  let opened = null; // what the person last chose; before that, it is open where there is something to see
  const draw = () => {
    const told = props.value ? JSON.parse(props.value) : null;
    element.replaceChildren(...(told ? [told.error ? trouble(told.error) : drawn(told)] : []));
  };
  watch('value', draw);
  draw();
  // A training that ended here tells how long the next one takes.
  jobs.onEnd((job) => job.type === 'training' && trigger('input'));
};
