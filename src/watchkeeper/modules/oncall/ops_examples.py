"""What `watchkeeper init` writes to teach how schedules and policies are written."""

from __future__ import annotations

EXAMPLE = """\
# Who is on call, and who is called when. Take away the # to say it; people are written as the e-mail addresses that
# they sign in with.

#schedules:
#  - name: primary
#    title: On call
#    time_zone: Europe/Oslo
#    # The first layer that has somebody wins; turns go on at hand_over, in local time, through summer and winter.
#    layers:
#      - name: week
#        people: [ann@example.com, ben@example.com]
#        shift: 1w
#        weekday: monday
#        hand_over: "09:00"
#        start: 2026-01-05
#    # In the place of the layers for a time.
#    temporary:
#      - name: christmas
#        since: 2026-12-24T08:00:00Z
#        until: 2026-12-27T08:00:00Z
#        shifts: [{who: ann@example.com, since: 2026-12-24T08:00:00Z, until: 2026-12-27T08:00:00Z}]
#    # Holes that are meant are no mistake.
#    gaps: [{reason: nobody works on Sundays, hours: [{days: [sunday], start: "00:00", end: "24:00"}]}]

#policies:
#  - name: shop
#    default: true
#    # Each step waits for somebody to acknowledge; a step that reaches nobody is skipped at once.
#    steps:
#      - {notify: [{schedule: primary}], wait: 5m}
#      - {notify: [{team: shop}], wait: 10m}
#    # Other steps for some severities: critical, error, warning, info.
#    routes:
#      - severities: [critical]
#        steps:
#          - {notify: [{schedule: primary}, {everyone: true}], wait: 5m}
#    # Called besides when it goes on too long, even if somebody acknowledged it.
#    unresolved:
#      - {after: 1h, severities: [critical], notify: [{person: founder@example.com}]}
#    repeat: 2
"""
