"""A local server that answers like HubSpot's CRM API: paths v3/v4, 2026-03 and 2026-09.

| I want to know … | open |
|---|---|
| which paths exist, in which order a request is checked | ``routes.py``, ``app.py`` |
| what a batch call does when some records are invalid | ``batch.py`` |
| when a whole body is rejected | ``request_body.py`` |
| which values a property accepts, and the error messages | ``values.py``, ``errors.py`` |
| which changes search finds, and when | ``search.py`` |
| rate windows and their headers | ``limits.py`` |
| tokens and scopes | ``auth.py``, ``oauth.py`` |
| a contact's e-mail addresses | ``addresses.py`` |
| how a record stores its history | ``record.py`` |
| what is stored in a state file, what in a seed | ``persistence.py``, ``serialization.py`` |
| which actions of a user in HubSpot's pages are modelled | ``ui_actions.py`` |
| the form of a seed | ``seed.py`` |
| faults that only HubSpot has | ``faults.py`` |
"""
