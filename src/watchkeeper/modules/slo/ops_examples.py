"""What teaches how to write objectives as files: comments alone."""

from __future__ import annotations

EXAMPLE = """\
# Objectives as OpenSLO v1 has them; a line with three dashes divides documents.
# `watchkeeper slo validate ops/slos` says what is wrong, and where; `watchkeeper slo suggest` proposes targets.

#apiVersion: openslo/v1
#kind: SLO
#metadata:
#  name: web-availability
#  displayName: The site answers
#spec:
#  service: web
#  indicator:
#    metadata: {name: web-answers}
#    spec:
#      ratioMetric:
#        rawType: success
#        raw:
#          metricSource:
#            type: watchkeeper
#            spec: {kind: availability, excludeRoutes: [/healthz]}
#  timeWindow: [{duration: 30d, isRolling: true}]
#  objectives: [{target: 0.999}]
#---
#apiVersion: openslo/v1
#kind: SLO
#metadata:
#  name: web-latency
#spec:
#  service: web
#  indicator:
#    metadata: {name: web-speed}
#    spec:
#      thresholdMetric:
#        metricSource:
#          type: watchkeeper
#          spec: {kind: latency, unit: ms}
#  timeWindow: [{duration: 30d, isRolling: true}]
#  objectives:
#    - {displayName: p95, op: lte, value: 500, target: 0.95}
#    - {displayName: p99, op: lte, value: 2000, target: 0.99}
#---
# What was promised to customers, beside the SLO.
#apiVersion: watchkeeper/v1
#kind: ServiceLevelAgreement
#metadata: {name: web-availability}
#spec:
#  sloRef: web-availability
#  target: 0.995
#  period: month
#  excludes: [maintenance]
#  tiers:
#    - {name: all, credits: [{below: 0.995, credit: 0.1}]}
#---
# What a spent budget means for deployments.
#apiVersion: watchkeeper/v1
#kind: ErrorBudgetPolicy
#metadata: {name: default}
#spec:
#  steps:
#    - {burn: 2, action: freeze_non_critical}
#    - {burn: 5, action: freeze_all}
#    - {burn: 10, action: emergency}
"""
