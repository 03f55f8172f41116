// Adds a link to osm's page to the panel's bar. Where there is no such bar the page is at /osm/ all the same.
(() => {
	const bar = document.querySelector('.top-bar-menu-list');
	if (!bar || bar.querySelector('a[href="/osm/"]')) {
		return;
	}
	const link = document.createElement('a');
	link.href = '/osm/';
	link.target = '_blank';
	link.rel = 'noopener';
	link.title = 'osm: outgoing mail';
	link.textContent = 'osm';
	link.className = 'top-bar-menu-link';
	const item = document.createElement('li');
	item.className = 'top-bar-menu-item';
	item.append(link);
	bar.append(item);
})();
