import type { Happening, HappeningKind } from '../truth.js';
import type { TruthTag, VehicleKind } from '../vehicle.js';

/** One sentence of what a bystander sees. */
export interface Story {
  readonly atMs: number;
  readonly lane: string;
  readonly en: string;
  readonly zh: string;
}

const whoEn: Readonly<Record<TruthTag, string>> = {
  resident: 'a resident',
  visitor: 'an announced visitor',
  stranger: 'a stranger',
  blocked: 'a blocked vehicle',
  emergency: 'an ambulance on call',
  tailgater: 'a tailgater',
  unplated: 'somebody without a plate',
  shadow: 'the vehicle seen by the camera',
};

const whoZh: Readonly<Record<TruthTag, string>> = {
  resident: '业主车辆',
  visitor: '预约访客',
  stranger: '外来车辆',
  blocked: '黑名单车辆',
  emergency: '执行任务的救护车',
  tailgater: '跟车闯入者',
  unplated: '无牌车',
  shadow: '摄像机看到的车辆',
};

const vehicleEn: Readonly<Record<VehicleKind, string>> = {
  car: 'car',
  suv: 'SUV',
  van: 'van',
  truck: 'truck',
  'truck-trailer': 'truck with trailer',
  motorcycle: 'motorcycle',
  ambulance: 'ambulance',
};

const actsEn: Readonly<Record<HappeningKind, string>> = {
  arrives: 'drives up',
  honks: 'waits before the closed boom and honks',
  passes: 'has passed and drives on',
  'backs-out': 'gives up and backs out',
  hesitates: 'stops and looks for something',
  'stops-under': 'stops right under the arm',
  shunts: 'shunts forth and back',
  'slips-through': 'slips through behind the car in front',
  rams: 'drives through the closed arm',
  crosses: 'crosses in front of the gate',
  'comes-wrong-way': 'comes from the wrong side',
  'walks-under': 'walks under the arm',
  'boom-struck': 'is struck by the arm',
};

const actsZh: Readonly<Record<HappeningKind, string>> = {
  arrives: '驶近',
  honks: '在闸杆前等候并鸣笛',
  passes: '已通过并驶离',
  'backs-out': '放弃等待，倒车离开',
  hesitates: '停下找东西',
  'stops-under': '停在闸杆正下方',
  shunts: '前后挪车',
  'slips-through': '紧跟前车闯过',
  rams: '撞杆冲关',
  crosses: '从门前横穿',
  'comes-wrong-way': '逆向驶来',
  'walks-under': '从闸杆下走过',
  'boom-struck': '被闸杆砸到',
};

/** Says in plain words what happened; undefined for what is too small to tell. */
export function tell(happening: Happening): Story {
  const { vehicle } = happening;
  const laneEn = happening.direction === 'entry' ? 'Entry' : 'Exit';
  const laneZh = happening.direction === 'entry' ? '入口' : '出口';
  const at = { atMs: happening.atMs, lane: happening.lane };
  if (vehicle === undefined) return { ...at, en: `${laneEn}: somebody ${actsEn[happening.kind]}.`, zh: `${laneZh}：有人${actsZh[happening.kind]}。` };
  const plateEn = vehicle.plate === undefined ? '' : ` (${vehicle.plate.text})`;
  const body = vehicle.tag === 'emergency' || vehicle.tag === 'shadow' ? '' : `, ${vehicleEn[vehicle.kind]}`;
  return {
    ...at,
    en: `${laneEn}: ${whoEn[vehicle.tag]}${body}${plateEn} ${actsEn[happening.kind]}.`,
    zh: `${laneZh}：${whoZh[vehicle.tag]}${vehicle.plate?.text ?? ''}${actsZh[happening.kind]}。`,
  };
}
