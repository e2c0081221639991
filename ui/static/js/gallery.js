// The gallery of all pictures.

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

  const question = () => {
    const query = new URLSearchParams({ limit: PAGE });
    if (starts.at(-1)) query.set('cursor', starts.at(-1));
    if (filter.value) query.set('character_id', filter.value);
    return get(`api/outputs?${query}`);
  };
  const show = newest(question, (page) => {
    next = page.next;
    const first = (starts.length - 1) * PAGE;
    grid.replaceChildren(...page.items.map((output) => outputTile(output, page.items)));
    range.textContent = page.total > 0 ? `${first + 1} to ${first + page.items.length} of ${page.total.toLocaleString('en-GB')}` : '';
    empty.hidden = page.total > 0;
    newer.hidden = starts.length === 1;
    older.hidden = !next;
  });
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
