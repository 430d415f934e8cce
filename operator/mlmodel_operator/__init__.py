"""The MLModel operator: watches, gathers, decides, acts.

``cluster`` talks to the Kubernetes API and decides nothing; ``decide``, ``resources`` and ``monitoring`` are pure and talk to nothing;
``reconcile`` joins the two. Nothing here imports the model server.
"""
