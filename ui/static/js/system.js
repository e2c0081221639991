// Health, room, clean-up, alerts, backups and costs: what an owner looks at from time to time.

const PARTS = {
  volume: 'The volume takes writes',
  room: 'There is room for new jobs',
  queue: 'The job queue answers',
  redis: 'The Redis server is watched',
  events: 'Events arrive',
  workers: 'Workers live',
  care: 'Workers are cared for',
  watch: 'Room and alerts are watched',
  backends: 'Pictures can be made',
};
const room = (bytes) => (bytes < 2 ** 30 ? size(bytes) : `${(bytes / 2 ** 30).toFixed(1)} GB`);

const section = (title, ...content) => h('section', { class: 'isg-job' }, h('h3', {}, title), content);

const partLine = ([name, part]) =>
  h(
    'li',
    { class: 'isg-part' },
    h('i', { class: `isg-dot ${part.ok ? 'good' : 'bad'}`, 'aria-hidden': 'true' }),
    h('span', {}, PARTS[name] || name, !part.ok && h('small', {}, [part.reason, part.hint].filter(Boolean).join(' '))),
    h('span', { class: 'isg-spoken' }, part.ok ? 'well' : 'not well'),
  );

const takenLine = (most) => (taken) => {
  const fill = h('i');
  fill.style.width = `${Math.max(1, (100 * taken.bytes) / most)}%`;
  return h(
    'li',
    { class: 'isg-taken' },
    h('span', {}, taken.name),
    h('span', { class: 'isg-number' }, room(taken.bytes)),
    h('div', { class: 'isg-bar', 'aria-hidden': 'true' }, fill),
  );
};

const takenList = (title, rows) => {
  if (rows.length === 0) return null;
  const shown = rows.slice(0, 8);
  return h('div', {}, h('h4', {}, title), h('ul', { class: 'isg-plain' }, shown.map(takenLine(rows[0].bytes))));
};

const storageSection = (told) => {
  const share = Math.round(told.share * 100);
  const fill = h('i');
  fill.style.width = `${share}%`;
  const look = { warn: 'tight', bad: 'does_not_fit' }[told.level] || '';
  const limit = told.quota_bytes && told.limit_bytes === told.quota_bytes ? 'the quota of' : 'the';
  const words = `${room(told.used_bytes)} of ${limit} ${room(told.limit_bytes)} are used, ${room(told.free_bytes)} are free on the disk`;
  const warning = {
    warn: 'The volume is filling up. Clean up, or delete what you do not need.',
    bad: 'The volume is nearly full. Jobs wait until there is room; nothing is lost.',
  }[told.level];
  return section(
    'Room',
    h('p', { id: 'system-room' }, words),
    h('div', { class: `isg-bar ${look}`, role: 'meter', 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': share, 'aria-label': 'Room used' }, fill),
    warning && h('div', { class: `isg-note ${told.level === 'bad' ? 'warn' : ''}` }, warning),
    h('div', { class: 'isg-two' }, takenList('By kind', told.kinds), takenList('By character', told.characters)),
  );
};

const ruleLine = (again) => (rule) => {
  const go = async () => {
    const gone = await post(`api/system/clean-up/${rule.id}`);
    toast('Cleaned up', `${room(gone.bytes)} are free again.`);
    await again();
  };
  const sure = () => confirmLoss(`${rule.title}?`, `${rule.text} ${room(rule.bytes)} will be freed.`, 'Delete', go);
  const nothing = rule.count === 0;
  return h(
    'li',
    { class: 'isg-rule', 'data-rule': rule.id },
    h('div', {}, h('strong', {}, rule.title), h('p', { class: 'isg-muted' }, rule.text)),
    nothing
      ? h('span', { class: 'isg-muted' }, 'Nothing to free')
      : button(`Free ${room(rule.bytes)}`, rule.id === 'cache' ? go : sure, { small: true, name: `${rule.title}: free ${room(rule.bytes)}` }),
  );
};

const alertSection = (told, again) => {
  const test = async () => {
    await post('api/system/alerts/test');
    toast('Sent', `${told.host} took the message.`);
    await again();
  };
  const kinds = { ntfy: 'ntfy', discord: 'Discord', json: 'JSON' };
  const which = told.notify === 'all' ? 'long jobs that are done, failures and troubles' : 'failures and troubles';
  return section(
    'Messages to you',
    told.on
      ? [
          h('p', {}, `${which[0].toUpperCase()}${which.slice(1)} are told to ${told.host} (${kinds[told.kind]}).`),
          h('p', { class: 'isg-muted' }, `Since the start: ${told.sent} sent, ${told.failed} not taken.${told.last ? ` Last: ${told.last}` : ''}`),
          h('div', { class: 'isg-actions' }, button('Send a test', test, { small: true, id: 'system-test-alert' })),
        ]
      : h('p', { class: 'isg-muted' }, 'Off. Set ISENGARD_WEBHOOK_URL to an ntfy topic, a Discord webhook or any address that takes JSON, and you are told when a long job is done, or something needs you.'),
  );
};

const backupSection = (told) =>
  section(
    'Backup',
    told
      ? [
          h('div', { class: 'isg-pills' }, pill(told.ok ? 'Went well' : 'Failed', told.ok ? 'good' : 'bad'), pill(when(told.at))),
          h('p', { class: 'isg-muted' }, told.text),
        ]
      : h('p', { class: 'isg-muted' }, 'None yet. Run ', h('code', {}, 'scripts/backup.py /path/on/another/disk'), ' from time to time: it works while Isengard runs.'),
  );

const costSection = (told) => {
  if (told.costs.length === 0) return null;
  const priced = told.price_per_hour > 0;
  const row = (job) =>
    h(
      'tr',
      {},
      h('td', {}, job.title || job.id),
      h('td', { class: 'isg-number' }, duration(job.seconds)),
      priced && h('td', { class: 'isg-number' }, job.cost.toFixed(job.cost < 1 ? 3 : 2)),
    );
  return section(
    'What the last jobs took',
    h(
      'table',
      { class: 'isg-table' },
      h('thead', {}, h('tr', {}, h('th', {}, 'Job'), h('th', { class: 'isg-number' }, 'Time'), priced && h('th', { class: 'isg-number' }, 'Cost'))),
      h('tbody', {}, told.costs.slice(0, 10).map(row)),
    ),
    !priced && h('p', { class: 'isg-muted' }, 'Set ISENGARD_PRICE_PER_HOUR to the price of this machine to see what each job cost.'),
  );
};

// A volume without room concerns every tab: jobs wait until there is some.
const roomBanner = () => {
  const banner = h('div', { class: 'isg-note warn isg-banner', id: 'room-banner', role: 'status', hidden: true });
  // The page's own script comes before Gradio's tabs, and Gradio may draw them again.
  const place = () => banner.isConnected || document.getElementById('tabs')?.before(banner);
  const look = async () => {
    if (document.hidden) return;
    const answer = await fetch(url('health/ready')).catch(() => null);
    const told = answer && (await answer.json().catch(() => null));
    const part = told?.parts?.room;
    if (!part) return;
    banner.hidden = part.ok;
    if (part.ok) return;
    const open = h('button', { type: 'button', class: 'isg-btn small', onclick: () => showTab('system') }, 'Open System');
    banner.replaceChildren(h('strong', {}, `${part.reason} Jobs wait until there is room.`), open);
  };
  setInterval(place, 1000);
  setInterval(look, 30000);
  look();
};

views.system = (element) => {
  const body = h('div', { class: 'isg-stack', id: 'system-body' });
  const verdict = h('span', { role: 'status' });
  const draw = (told) => {
    verdict.replaceChildren(pill(told.well ? 'All is well' : 'Something needs you', told.well ? 'good' : 'bad'));
    const parts = Object.entries(told.parts);
    body.replaceChildren(
      ...[
        section('Health', h('ul', { class: 'isg-plain isg-parts', id: 'system-parts' }, parts.map(partLine))),
        storageSection(told.storage),
        section('Clean up', h('ul', { class: 'isg-plain' }, told.clean_up.map(ruleLine(() => load(true))))),
        h('div', { class: 'isg-two' }, alertSection(told.alerts, () => load(false)), backupSection(told.backup)),
        costSection(told),
      ].filter(Boolean),
    );
  };
  const load = newest((fresh) => get(`api/system${fresh ? '?fresh=true' : ''}`), draw);
  const again = button('Look again', () => load(true), { iconName: 'again', small: true, id: 'system-again' });
  element.replaceChildren(h('div', { class: 'isg-bar-row' }, h('div', { class: 'isg-title' }, h('h2', {}, 'System'), verdict), again), body);
  const shown = () => element.offsetParent !== null;
  new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && load(false).catch(complain)).observe(element);
  jobs.onEnd(() => shown() && load(false).catch(complain));
  bus.on('connection', (up) => up && shown() && load(false).catch(complain));
};
