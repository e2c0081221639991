// The gallery of all pictures, and the ones in the making.

const PAGE = 60;

views.gallery = (element) => {
  const filter = h('select', { id: 'gallery-filter', 'aria-label': 'Show pictures of' });
  const grid = h('div', { class: 'isg-outputs', id: 'gallery-grid' });
  const range = h('span', { class: 'isg-muted', id: 'gallery-range', role: 'status' });
  const empty = emptyState({
    id: 'gallery-empty',
    iconName: 'picture',
    title: 'No pictures yet',
    text: 'Write a prompt and press Generate. Every picture is kept here with its settings.',
  });
  let starts = ['']; // cursors of the pages up to the present one
  let next = null;

  const show = async () => {
    const query = new URLSearchParams({ limit: PAGE });
    if (starts.at(-1)) query.set('cursor', starts.at(-1));
    if (filter.value) query.set('character_id', filter.value);
    const page = await get(`api/outputs?${query}`);
    next = page.next;
    const first = (starts.length - 1) * PAGE;
    grid.replaceChildren(...page.items.map((output) => outputTile(output, page.items)));
    range.textContent = page.total > 0 ? `${first + 1} to ${first + page.items.length} of ${page.total.toLocaleString('en-GB')}` : '';
    empty.hidden = page.total > 0;
    newer.hidden = starts.length === 1;
    older.hidden = !next;
  };
  const newer = button('Newer', () => (starts.pop(), show()), { small: true, id: 'gallery-newer' });
  const older = button('Older', () => (starts.push(next), show()), { small: true, id: 'gallery-older' });
  const restart = () => {
    starts = [''];
    return show().catch(complain);
  };
  const names = async () => {
    const page = await get('api/characters?limit=200');
    const chosen = filter.value;
    filter.replaceChildren(
      h('option', { value: '' }, 'All pictures'),
      ...page.items.map((character) => h('option', { value: character.id }, character.name)),
    );
    filter.value = page.items.some((character) => character.id === chosen) ? chosen : '';
  };
  filter.addEventListener('change', restart);
  bus.on('outputs', restart);
  bus.on('library', () => names().catch(complain));
  jobs.onEnd((job) => job.type === 'generation' && restart());
  element.replaceChildren(
    h('div', { class: 'isg-bar-row' }, h('h2', {}, 'Gallery'), h('div', { class: 'isg-actions' }, range, newer, older, filter)),
    empty,
    grid,
  );
  names().then(restart).catch(complain);
};

// The generations of now: live previews, then the finished pictures, until the page is left or a new one starts.
const SHOWN = 3;

const makingCard = (job) => {
  const card = jobCard(job);
  const strip = h('div', { class: 'isg-outputs', 'aria-live': 'polite' });
  const node = h('div', { class: 'isg-making' }, card.node, strip);
  const places = [];
  const preview = (index, address) => {
    while (places.length <= index) {
      places.push(h('img', { class: 'isg-preview', alt: `Picture ${places.length + 1} in the making`, hidden: true }));
      strip.append(places.at(-1));
    }
    places[index].hidden = false;
    places[index].src = url(address.replace(/^\//, ''));
  };
  let done = '';
  const update = (now) => {
    card.update(now);
    const made = (now.outputs || []).map((output) => output.id).join();
    if (!made || made === done) return;
    done = made;
    strip.replaceChildren(...now.outputs.map((output) => outputTile(output, now.outputs)));
  };
  update(job);
  return { node, update, preview };
};

views.making = (element) => {
  const cards = new Map();
  const opened = new Date(Date.now() - 1000).toISOString();
  const holder = h('div', { class: 'isg-stack', id: 'making' });
  element.replaceChildren(holder);
  jobs.onChange((list) => {
    // What is under way, and what was asked for since this page was opened.
    const recent = (job) => isLive(job) || new Date(job.created_at) > new Date(opened);
    const wanted = list.filter((job) => job.type === 'generation' && recent(job) && job.status !== 'cancelled').slice(0, SHOWN);
    for (const job of wanted) {
      if (cards.has(job.id)) cards.get(job.id).update(job);
      else cards.set(job.id, makingCard(job));
    }
    const nodes = wanted.map((job) => cards.get(job.id).node);
    if (nodes.length !== holder.children.length || nodes.some((node, i) => node !== holder.children[i])) holder.replaceChildren(...nodes);
  });
  jobs.onEvent('preview', (id, event) => event.url && cards.get(id)?.preview(event.index, event.url));
};
