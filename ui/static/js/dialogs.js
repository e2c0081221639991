// Native dialogs: focus, Escape and the backdrop are the browser's.

const dialog = (title, body, { wide, id } = {}) => {
  const heading = `dialog-${token()}`;
  const node = h('dialog', { class: `isg-dialog ${wide ? 'wide' : ''}`.trim(), 'aria-labelledby': heading, id });
  const close = () => node.close();
  node.append(
    h(
      'header',
      {},
      h('h2', { id: heading }, title),
      h('button', { type: 'button', class: 'isg-bare', 'aria-label': 'Close', onclick: close }, icon('close')),
    ),
    h('div', { class: 'isg-dialog-body' }, body),
  );
  node.addEventListener('close', () => node.remove());
  node.addEventListener('click', (event) => event.target === node && close());
  root().append(node);
  node.showModal();
  return { node, close };
};

// Asks before something is lost; resolves after the work is done or the dialog is closed.
const confirmLoss = (title, text, label, work) =>
  new Promise((resolve) => {
    const no = button('Keep it', () => open.close());
    const yes = button(
      label,
      async () => {
        await work();
        open.close();
      },
      { look: 'danger solid', id: 'confirm-yes' },
    );
    const open = dialog(title, [h('p', {}, text), h('div', { class: 'isg-actions end' }, no, yes)]);
    open.node.addEventListener('close', resolve);
    no.focus();
  });

const field = (label, input, hint) => {
  const help = `help-${token()}`;
  input.setAttribute('aria-describedby', help);
  return h('label', { class: 'isg-field' }, h('span', {}, label), input, hint && h('small', { id: help }, hint));
};

// A form in a dialog. What the API refuses is said in the form, and nothing typed is lost.
const formDialog = (title, fields, label, work, { id, intro } = {}) => {
  const trouble = h('div', { class: 'isg-trouble', role: 'alert', hidden: true });
  const submit = h('button', { type: 'submit', class: 'isg-btn primary', id: `${id}-save` }, label);
  const form = h('form', { class: 'isg-form', novalidate: true }, intro && h('p', {}, intro), fields, trouble);
  const open = dialog(title, form, { id });
  form.append(h('div', { class: 'isg-actions end' }, button('Cancel', () => open.close()), submit));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    submit.disabled = true;
    trouble.hidden = true;
    try {
      await work();
      open.close();
    } catch (error) {
      trouble.replaceChildren(h('strong', {}, error.message), h('p', {}, error.hint || ''));
      trouble.hidden = false;
    } finally {
      submit.disabled = false;
    }
  });
  form.querySelector('input, textarea, select')?.focus();
  return open;
};
