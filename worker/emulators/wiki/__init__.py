"""The emulated wiki: the action API and the REST API of a MediaWiki, over pages that are posted to it."""
