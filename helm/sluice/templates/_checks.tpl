{{/* Checks that the schema cannot express: values that are valid by themselves but not together. */}}
{{- define "sluice.checks" -}}
{{- $redis := include "sluice.hasRedis" . -}}
{{- if and .Values.persistence.enabled $redis -}}
{{- fail "persistence.enabled and Redis are both set. Keep only one: it keeps the events. Remove REDIS_URL from settings and secrets, or set persistence.enabled=false." -}}
{{- end -}}
{{- $wanted := ternary (int .Values.autoscaling.maxReplicas) (int .Values.replicaCount) .Values.autoscaling.enabled -}}
{{- if and (gt $wanted 1) (not $redis) -}}
{{- fail (printf "%s needs Redis. Without Redis each replica has its own log, and a subscriber gets only events that were published at the same replica. Set settings.REDIS_URL, put REDIS_URL into secrets, or set redis.enabled=true for testing. Or keep replicaCount=1 without autoscaling; persistence.enabled=true then keeps the events on disk." (ternary "autoscaling.enabled" (printf "replicaCount=%d" $wanted) .Values.autoscaling.enabled)) -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas." -}}
{{- end -}}
{{- if and .Values.secrets.existingSecret .Values.secrets.values -}}
{{- fail "secrets.existingSecret and secrets.values are both set. Put the values into that Secret and name them in secrets.keys, or remove secrets.existingSecret." -}}
{{- end -}}
{{- $named := include "sluice.secretNames" . | fromYamlArray -}}
{{- if .Values.redis.enabled }}{{ $named = append $named "REDIS_URL" }}{{ end -}}
{{- if .Values.tls.existingSecret }}{{ $named = concat $named (list "SLUICE_TLS_CERT" "SLUICE_TLS_KEY") }}{{ end -}}
{{- if .Values.redisTls.existingSecret }}{{ $named = append $named "SLUICE_REDIS_TLS_CA" }}{{ end -}}
{{- if .Values.redisTls.clientCertificate }}{{ $named = concat $named (list "SLUICE_REDIS_TLS_CERT" "SLUICE_REDIS_TLS_KEY") }}{{ end -}}
{{- if and .Values.redisTls.clientCertificate (not .Values.redisTls.existingSecret) -}}
{{- fail "redisTls.clientCertificate needs redisTls.existingSecret, the Secret that holds the certificate." -}}
{{- end -}}
{{- $seen := dict -}}
{{- range concat $named (keys .Values.settings) -}}
{{- $name := trimSuffix "_FILE" . -}}
{{- if hasKey $seen $name -}}
{{- fail (printf "%s is set twice. Set it in only one of these: settings (with or without _FILE), secrets, redis.enabled (REDIS_URL), tls, redisTls." $name) -}}
{{- end -}}
{{- $_ := set $seen $name true -}}
{{- end -}}
{{- if eq (include "sluice.port" .) (include "sluice.adminPort" .) -}}
{{- fail "settings.PORT and settings.SLUICE_ADMIN_PORT are the same. Metrics and health need a separate port, so that they are not public." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled needs ingress.hosts, such as [events.example.com]." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs, the Gateway of the route, such as [{name: gateway}]." -}}
{{- end -}}
{{- end -}}
