"""A local server that answers like HubSpot's CRM API: paths v3/v4, 2026-03 and 2026-09.

| I want to know … | open |
|---|---|
| which paths exist, in what order a request is judged | ``routes.py``, ``app.py`` |
| what a batch call does when some records are bad | ``batch.py`` |
| when a body as a whole is refused | ``request_body.py`` |
| which values a property takes, and the words of a refusal | ``values.py``, ``errors.py`` |
| what search sees and when | ``search.py`` |
| rate windows and their headers | ``limits.py`` |
| tokens and scopes | ``auth.py``, ``oauth.py`` |
| a contact's e-mail addresses | ``addresses.py`` |
| how one record remembers what it was | ``record.py`` |
| what a state file holds | ``persistence.py`` |
| what a person in HubSpot's own pages can do here | ``ui_actions.py`` |
| the form of a seed | ``seed.py`` |
| failures only HubSpot has | ``faults.py`` |
"""
